"""The scores of a run: its numbers at its best epoch or step, and those of its test."""

from collections.abc import Sequence

from atelier.runs.rows import GAPS
from atelier.sweeps.records import Record


def unit_of(records: Sequence[Record]) -> str:
    """The x-axis of curves: "step" if all runs count steps, else "epoch"."""
    begun = (record for record in records if record.get("counts") or record.status not in ("waiting", "failed"))
    counts = {record.get("counts") for record in begun}
    return "step" if counts == {"steps"} else "epoch"


def best_of(record: Record, metric: str | None) -> float | None:
    """A run's best value of a metric; None if it has none, or another objective."""
    return record.get("objective", "best") if record.get("objective", "metric") == metric else None


def best_place(record: Record, unit: str) -> int | None:
    """The epoch or step of a run's best value, counted from 0 as in metrics.csv; None if there is none."""
    best = record.get("objective", f"best_{unit}")
    return best - 1 if unit == "step" and best is not None else best


def scores_of(record: Record, unit: str, objective: str = "") -> dict[str, float | None]:
    """The scores of a run: its objective's best value, the other metrics at that epoch or step, and test metrics.

    Of the `objective` of a comparison, a run that has another one has no score.
    """
    best = best_place(record, unit)
    scores: dict[str, float | None] = {}
    for name, values in record.curves(unit).items():
        at = [place for place in values if best is None or place <= best]
        if at and not name.startswith("test/"):
            scores[name] = values[max(at)]
    scores |= record.get("at_best") or {}  # only in records whose curves were thinned
    scores |= {f"test/{name}": value for name, value in (record.get("test") or {}).items()}
    if metric := record.get("objective", "metric"):
        scores |= {objective: None} if objective else {}
        scores[metric] = record.get("objective", "best")
    facts = {"seconds": record.get("seconds", "fit"), "parameters": record.get("parameters")}
    return {**scores, **{gap: record.get("objective", gap) for gap in GAPS}, **facts}
