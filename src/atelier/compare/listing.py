"""Finds and lists runs: those that meet a condition, or the newest sweeps and single runs."""

import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any

from annotated_types import Ge
from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from atelier.compare.marks import listed
from atelier.compare.where import Condition, check_known, matching, value_of
from atelier.errors import InputError, nearest_first
from atelier.figures.words import metric_words, number
from atelier.project import command
from atelier.runs.folder import last_changed
from atelier.runs.terminal import table_console
from atelier.sweeps.aggregate import aggregate, recorded
from atelier.sweeps.records import Record, read_run
from atelier.sweeps.sweep import Sweep

NAMED = 5  # values of a key that a line names
ALWAYS = ("experiment", "seed", "status", "objective.metric", "objective.best")


def records_in(folder: Path) -> Iterator[Record]:
    """The records of all runs in a folder, and of the jobs of the sweeps in it; or of a sweep's own jobs."""
    for place in recorded(folder):
        if not (place / "sweep.json").is_file():
            yield read_run(place)
            continue
        try:
            yield from Sweep.read(place).records()
        except InputError:  # a damaged sweep.json: the runs are there all the same
            yield from (read_run(file.parent) for file in sorted(place.glob("*/run.json")))


def last_change(record: Record) -> float:
    file = None if record.folder is None else record.folder / "run.json"
    return file.stat().st_mtime if file and file.exists() else 0.0


def print_matching(logs: Path, where: str | None, sort: str | None, limit: Annotated[int, Ge(1)]) -> None:
    """Print at most `limit` of the runs that meet a condition, also those of sweeps, with its keys.

    Args:
        sort: a dotted key, in ascending order; with - before it, in descending order; None: the newest run first.

    Raises:
        InputError: if `where` is no condition, or no run has one of the keys.
    """
    records = sorted(records_in(logs) if logs.is_dir() else (), key=last_change, reverse=True)
    found = records if where is None else matching(records, where)
    keys = list(ALWAYS)
    if sort is not None:
        key = sort.removeprefix("-").replace("/", ".")
        check_known(key, records, "sort")
        found = in_order(found, key, down=sort.startswith("-"))
        keys += [key]
    keys += Condition(where).keys if where is not None else []
    shown = Table(*(columns := list(dict.fromkeys([*keys, "note", "folder"]))), box=SIMPLE_HEAD)
    shown.columns[-1].overflow = "fold"
    for record in found[:limit]:
        shown.add_row(*(Text(cell(record, key)) for key in columns))
    table_console().print(shown)
    print(f"{len(found)} of {len(records)} runs{f', {limit} shown (limit=)' if len(found) > limit else ''}")
    if records and not found and where is not None:
        print("\n".join(values_told(records, *one) for one in Condition(where).wanted.items()))


def values_told(records: Sequence[Record], key: str, wanted: Any) -> str:
    """The values that the runs have of a key, in a line: the range of numbers, or the texts nearest to `wanted`."""
    found = [value_of(record, key) for record in records]
    known = [value for value in found if value is not None and value == value]  # NaN is not equal to itself
    if known and all(type(value) in (int, float) for value in known):
        low, high = number(min(known)), number(max(known))
        return f"{key} is {low}" if low == high else f"{key} is from {low} to {high}"
    values = nearest_first(str(wanted), sorted({cell(record, key) for record in records} - {""}))
    return f"{key} is {', '.join(values[:NAMED]) or 'nowhere set'}{' …' * (len(values) > NAMED)}"


def cell(record: Record, key: str) -> str:
    found = record.folder if key == "folder" else value_of(record, key)
    if isinstance(found, list):
        return listed(found)
    return number(found) if isinstance(found, float) else "" if found is None else str(found)


def in_order(records: Sequence[Record], key: str, down: bool) -> list[Record]:
    """The records sorted by a key: numbers by size, then texts; those without a value, or with NaN, last."""

    valued = [(value_of(record, key), record) for record in records]
    known = [pair for pair in valued if pair[0] is not None and pair[0] == pair[0]]  # NaN is not equal to itself
    unknown = [record for value, record in valued if value is None or value != value]

    def place(pair: tuple[Any, Record]) -> tuple[bool, Any]:
        value, _ = pair
        return (False, value) if isinstance(value, (int, float)) else (True, str(value))

    return [*(record for _, record in sorted(known, key=place, reverse=down)), *unknown]


# ---------------------------------------------------------------------- sweeps and single runs


def print_listing(logs: Path, limit: Annotated[int, Ge(1)]) -> None:
    """Print the newest sweeps and runs under `logs`, at most `limit`, by the time of their last change of state."""
    files = [*last_changed(logs / "sweeps", "sweep.json"), *last_changed(logs / "runs", "run.json")]
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
    told = best_told(record.get("objective", "metric"), number(record.get("objective", "best")))
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
    told = best_told(results.metric, number(first.objective.mean, first.objective.std)) if first else ""
    told += ", incomplete" if told and first and not first.complete else ""
    status = f"{content.get('status')}, {done} of {len(results.records)}{fake(results.records)}"
    return "sweep", str(content.get("study") or content.get("experiment")), status, told


def fake(records: Sequence[Record]) -> str:
    """The mark beside the status of runs on made-up data, else ""."""
    return ", fake" if any(record.value("data.source") == "fake" for record in records) else ""


def best_told(metric: str | None, value: str) -> str:
    return f"{metric_words(metric)} {value}" if metric and value != "–" else ""


def shortest(folder: Path) -> str:
    """The path relative to the working directory, if the folder lies below it."""
    here = Path.cwd()
    return str(folder.relative_to(here) if folder.is_relative_to(here) else folder)
