"""How much better a run is on what it trained on: than where it validates, and than on the test set."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from atelier.runs.rows import read_curves

GAPS = ("validation_gap", "generalisation_gap")


def gaps(metrics: Path, objective: Mapping[str, Any], unit: str, tested: Mapping[str, float]) -> dict[str, float]:
    """Both at the best validation, for errors and losses the other way round; one without its values is left out.

    `validation_gap`: training minus validation. Training is `train/clean_<name>` if measured, else `train/<name>`.
    `generalisation_gap` (as IFT6135 has it): training minus test. Training is `train/clean_<name>` and nothing else.

    Args:
        metrics: the run's metrics.csv.
        objective: of its run.json: metric, mode, best, and best_epoch or best_step.
        unit: epoch or step, as the run counts.
        tested: what testing the best checkpoint gave, by name; nothing if another was tested.
    """
    split, _, name = objective["metric"].partition("/")
    best, place = objective["best"], objective.get(f"best_{unit}")
    if split != "val" or best is None or place is None:
        return {}
    curves = read_curves(metrics, unit)
    row = place - 1 if unit == "step" else place  # rows count steps from 0, and the manifest those that are done
    clean = curves.get(f"train/clean_{name}", {}).get(row)
    trained = clean if clean is not None else curves.get(f"train/{name}", {}).get(row)
    sign = 1 if objective["mode"] == "max" else -1
    pairs = zip(GAPS, ((trained, best), (clean, tested.get(name))), strict=True)
    return {gap: sign * (seen - unseen) for gap, (seen, unseen) in pairs if seen is not None and unseen is not None}
