"""Finds runs under a folder, and lists those that meet a condition."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any

from annotated_types import Ge
from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from atelier.compare.where import Condition, check_known, matching, value_of
from atelier.errors import InputError
from atelier.figures.words import number
from atelier.runs.terminal import table_console
from atelier.sweeps.aggregate import recorded
from atelier.sweeps.records import Record, read_run
from atelier.sweeps.sweep import Sweep

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
        key = sort.removeprefix("-")
        check_known(key, records)
        found = in_order(found, key, down=sort.startswith("-"))
        keys += [key]
    keys += Condition(where).keys if where is not None else []
    shown = Table(*(columns := list(dict.fromkeys([*keys, "note", "folder"]))), box=SIMPLE_HEAD)
    shown.columns[-1].overflow = "fold"
    for record in found[:limit]:
        shown.add_row(*(Text(cell(record, key)) for key in columns))
    table_console().print(shown)
    print(f"{len(found)} of {len(records)} runs{f', {limit} shown (limit=)' if len(found) > limit else ''}")


def cell(record: Record, key: str) -> str:
    found = record.folder if key == "folder" else value_of(record, key)
    if isinstance(found, list):
        return ", ".join(map(str, found))
    return number(found) if isinstance(found, float) else "" if found is None else str(found)


def in_order(records: Sequence[Record], key: str, down: bool) -> list[Record]:
    """The records sorted by a key: numbers by size, then texts; those without a value last."""

    def place(record: Record) -> tuple[bool, Any]:
        found = value_of(record, key)
        return (True, str(found)) if isinstance(found, (str, list)) else (False, found)

    known = [record for record in records if value_of(record, key) is not None]
    unknown = [record for record in records if value_of(record, key) is None]
    return sorted(known, key=place, reverse=down) + unknown
