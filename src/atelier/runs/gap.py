"""The generalisation gap: how much better a run is on what it trained on, where it validates best."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from atelier.runs.rows import read_curves


def generalisation_gap(metrics: Path, objective: Mapping[str, Any], unit: str) -> float | None:
    """Training minus validation (for errors and losses validation minus training) at the best validation.

    Training is `train/clean_<name>` where the run measured that, else `train/<name>`.

    Args:
        metrics: the run's metrics.csv.
        objective: of its run.json: metric, mode, best, and best_epoch or best_step.
        unit: epoch or step, as the run counts.

    Returns:
        None for an objective that is no `val/<name>`, or without a training value at its best.
    """
    split, _, name = objective["metric"].partition("/")
    best, place = objective["best"], objective.get(f"best_{unit}")
    if split != "val" or best is None or place is None:
        return None
    curves = read_curves(metrics, unit)
    row = place - 1 if unit == "step" else place  # rows count steps from 0, and the manifest those that are done
    for trained in (f"train/clean_{name}", f"train/{name}"):
        value = curves.get(trained, {}).get(row)
        if value is not None:
            return value - best if objective["mode"] == "max" else best - value
    return None
