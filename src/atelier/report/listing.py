"""Lists the sweeps and single runs that can be reported, newest first."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from annotated_types import Ge
from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from atelier.errors import InputError
from atelier.figures.words import metric_words, number
from atelier.runs.terminal import plain_console
from atelier.sweeps.aggregate import aggregate
from atelier.sweeps.records import Record, read_run


@dataclass(frozen=True)
class Entry:
    """A sweep or a run; `changed` is the time of its last change of state, in seconds since 1970."""

    kind: str
    name: str
    status: str
    objective: str
    changed: float
    folder: Path


def entries(logs: Path, limit: int) -> list[Entry]:
    """The newest sweeps and runs under `logs`, at most `limit`."""
    both = found(logs, "sweeps", "sweep.json") + found(logs, "runs", "run.json")
    newest = sorted(both, reverse=True)[:limit]
    return [(sweep_entry if file.name == "sweep.json" else run_entry)(file.parent, when) for when, file in newest]


def found(logs: Path, below: str, name: str) -> list[tuple[float, Path]]:
    """(modification time in seconds since 1970, file), the newest first."""
    return sorted(((file.stat().st_mtime, file) for file in (logs / below).glob(f"*/*/{name}")), reverse=True)


def run_entry(folder: Path, changed: float) -> Entry:
    record = read_run(folder)
    told = best(record.get("objective", "metric"), number(record.get("objective", "best")))
    return Entry("run", str(record.get("experiment")), record.status + fake([record]), told, changed, folder)


def sweep_entry(folder: Path, changed: float) -> Entry:
    """The entry of a sweep, with the number of its finished jobs and the mean of its best setting."""
    try:
        results = aggregate([folder])
    except InputError:
        return Entry("sweep", folder.parent.name, "unreadable", "", changed, folder)
    content = results.sweeps[0].content
    done = sum(record.status in ("completed", "pruned") for record in results.records)
    first = results.settings[0] if results.settings else None
    told = best(results.metric, number(first.objective.mean, first.objective.std)) if first else ""
    told += ", incomplete" if told and first and not first.complete else ""
    status = f"{content.get('status')}, {done} of {len(results.records)}{fake(results.records)}"
    return Entry("sweep", str(content.get("study") or content.get("experiment")), status, told, changed, folder)


def fake(records: Sequence[Record]) -> str:
    """The mark beside the status of runs on made-up data, else ""."""
    return ", fake" if any(record.value("data.source") == "fake" for record in records) else ""


def best(metric: str | None, value: str) -> str:
    return f"{metric_words(metric)} {value}" if metric and value != "–" else ""


def print_listing(logs: Path, limit: Annotated[int, Ge(1)]) -> None:
    listed = entries(logs, limit)
    if not listed:
        print(f"There is no run under {logs} yet. Make one: python src/train.py")
        return
    console = plain_console()
    if not console.is_terminal:
        console = plain_console(width=500)  # in a file, no cell is wrapped
    table = Table("", "name", "status", "best objective", "last change", "folder", box=SIMPLE_HEAD)
    table.columns[-1].overflow = "fold"
    for entry in listed:
        when = time.strftime("%Y-%m-%d %H:%M", time.localtime(entry.changed))
        cells = (entry.kind, entry.name, entry.status, entry.objective, when, shortest(entry.folder))
        table.add_row(*map(Text, cells))
    console.print(table)


def shortest(folder: Path) -> str:
    """The path relative to the working directory, if the folder lies below it."""
    here = Path.cwd()
    return str(folder.relative_to(here) if folder.is_relative_to(here) else folder)
