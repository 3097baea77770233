"""Reads metrics.csv; needs nothing but the standard library, so that a report is quick."""

import csv
import io
from pathlib import Path
from typing import Any


def read_rows(path: Path) -> list[dict[str, Any]]:
    """The whole rows of a metrics file as text; a last line that was cut off by a crash is left out."""
    if not path.exists():
        return []
    text = path.read_text()
    return list(csv.DictReader(io.StringIO(text[: text.rfind("\n") + 1])))


def read_metrics(path: Path) -> list[dict[str, float]]:
    """The rows as numbers: only the metrics that were logged in each, with `epoch` and `step`."""
    return [{name: float(value) for name, value in row.items() if value not in ("", None)} for row in read_rows(path)]


def read_curves(path: Path, unit: str) -> dict[str, dict[int, float]]:
    """{metric: {epoch or step counted from 0: the last value that was logged in it}}, such as `val/loss`.

    What testing a checkpoint logged after all of them has no place on a curve.

    Args:
        unit: epoch or step.
    """
    found: dict[str, dict[int, float]] = {}
    for row in read_metrics(path):
        if row.get("epoch", -1) >= 0:  # what has no epoch has no place on a curve
            for name, value in row.items():
                if "/" in name:
                    found.setdefault(name, {})[int(row[unit])] = value
    last = max((place for name in found if name[:5] != "test/" for place in found[name]), default=-1)
    return {name: cut for name, curve in found.items() if (cut := {at: curve[at] for at in curve if at <= last})}
