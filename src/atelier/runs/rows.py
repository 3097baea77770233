"""Reads metrics.csv: its rows, its curves, and the validation and generalisation gaps."""

import csv
import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from atelier.errors import InputError

GAPS = ("validation_gap", "generalisation_gap")


def read_rows(path: Path) -> list[dict[str, Any]]:
    """The rows of a metrics file as text, without a last line that a crash cut off."""
    if not path.is_file():
        return []
    text = path.read_text("utf-8")
    return list(csv.DictReader(io.StringIO(text[: text.rfind("\n") + 1])))


def read_metrics(path: Path) -> list[dict[str, float]]:
    """The rows as numbers: `epoch`, `step` and the metrics that were logged in the row."""
    try:
        return [{key: float(value) for key, value in row.items() if value not in ("", None)} for row in read_rows(path)]
    except (ValueError, TypeError) as error:  # what another program wrote
        raise InputError(f"{path} is damaged: {error}; without the file, the run has no curves") from error


def read_curves(path: Path, unit: str) -> dict[str, dict[int, float]]:
    """{metric such as `val/loss`: {epoch or step, counted from 0: last value logged in it}}.

    A final test, logged after the last epoch or step, is left out.

    Args:
        unit: "epoch" or "step".
    """
    found: dict[str, dict[int, float]] = {}
    for row in read_metrics(path):
        if row.get("epoch", -1) >= 0:
            for name, value in row.items():
                if "/" in name:
                    found.setdefault(name, {})[int(row[unit])] = value
    last = max((place for name in found if name[:5] != "test/" for place in found[name]), default=-1)
    return {name: cut for name, curve in found.items() if (cut := {at: curve[at] for at in curve if at <= last})}


def gaps(metrics: Path, objective: Mapping[str, Any], unit: str, tested: Mapping[str, float]) -> dict[str, float]:
    """The gaps at the best validation, with the opposite sign for errors and losses; a gap without values is left out.

    `validation_gap`: training minus validation. Training is `train/clean_<name>` if measured, else `train/<name>`.
    `generalisation_gap` (defined as in IFT6135): training minus test. Training is `train/clean_<name>` only.

    Args:
        metrics: the run's metrics.csv.
        objective: of run.json: metric, mode, best, and best_epoch or best_step.
        unit: "epoch" or "step", as the run counts.
        tested: test metrics of the best checkpoint by name; empty if another checkpoint was tested.
    """
    split, _, name = objective["metric"].partition("/")
    best, place = objective["best"], objective.get(f"best_{unit}")
    if split != "val" or best is None or place is None:
        return {}
    curves = read_curves(metrics, unit)
    row = place - 1 if unit == "step" else place  # rows count steps from 0; best_step counts finished steps
    clean = curves.get(f"train/clean_{name}", {}).get(row)
    trained = clean if clean is not None else curves.get(f"train/{name}", {}).get(row)
    sign = 1 if objective["mode"] == "max" else -1
    pairs = zip(GAPS, ((trained, best), (clean, tested.get(name))), strict=True)
    return {gap: sign * (seen - unseen) for gap, (seen, unseen) in pairs if seen is not None and unseen is not None}
