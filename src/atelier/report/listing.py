"""Lists the sweeps and single runs that can be reported, newest first."""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

from annotated_types import Ge
from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from atelier.errors import InputError
from atelier.figures.words import metric_words, number
from atelier.project import command
from atelier.runs.terminal import table_console
from atelier.sweeps.aggregate import aggregate
from atelier.sweeps.records import Record, read_run


def print_listing(logs: Path, limit: Annotated[int, Ge(1)]) -> None:
    """Print the newest sweeps and runs under `logs`, at most `limit`, by the time of their last change of state."""
    # Not logs.glob, which finds nothing in a folder that may not be read.
    files = [*(logs / "sweeps").glob("*/*/sweep.json"), *(logs / "runs").glob("*/*/run.json")]
    newest = sorted(((file.stat().st_mtime, file) for file in files), reverse=True)[:limit]
    if not newest:
        print(f"There is no run under {logs} yet. Make one: {command('train')}")
        return
    table = Table("", "name", "status", "best objective", "last change", "folder", box=SIMPLE_HEAD)
    table.columns[-1].overflow = "fold"
    for changed, file in newest:
        told = sweep_cells(file.parent) if file.name == "sweep.json" else run_cells(file.parent)
        when = time.strftime("%Y-%m-%d %H:%M", time.localtime(changed))
        table.add_row(*map(Text, (*told, when, shortest(file.parent))))
    table_console().print(table)


def run_cells(folder: Path) -> tuple[str, str, str, str]:
    """Kind, name, status and objective of a run."""
    record = read_run(folder)
    told = best(record.get("objective", "metric"), number(record.get("objective", "best")))
    return "run", str(record.get("experiment")), record.status + fake([record]), told


def sweep_cells(folder: Path) -> tuple[str, str, str, str]:
    """Kind, name and status of a sweep with the number of its finished jobs, and the mean of its best setting."""
    try:
        results = aggregate([folder])
    except InputError:
        return "sweep", folder.parent.name, "unreadable", ""
    content = results.sweeps[0].content
    done = sum(record.status in ("completed", "pruned") for record in results.records)
    first = results.settings[0] if results.settings else None
    told = best(results.metric, number(first.objective.mean, first.objective.std)) if first else ""
    told += ", incomplete" if told and first and not first.complete else ""
    status = f"{content.get('status')}, {done} of {len(results.records)}{fake(results.records)}"
    return "sweep", str(content.get("study") or content.get("experiment")), status, told


def fake(records: Sequence[Record]) -> str:
    """The mark beside the status of runs on made-up data, else ""."""
    return ", fake" if any(record.value("data.source") == "fake" for record in records) else ""


def best(metric: str | None, value: str) -> str:
    return f"{metric_words(metric)} {value}" if metric and value != "–" else ""


def shortest(folder: Path) -> str:
    """The path relative to the working directory, if the folder lies below it."""
    here = Path.cwd()
    return str(folder.relative_to(here) if folder.is_relative_to(here) else folder)
