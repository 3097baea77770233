"""Writes the numbers of a figure into a CSV file beside it."""

import csv
from collections.abc import Iterable, Sequence
from pathlib import Path


def write_numbers(path: Path, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Write a header and rows into a CSV file."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows(rows)
