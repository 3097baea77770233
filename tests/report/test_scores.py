"""The scores of a run, by hand: at its best epoch or step, of its test, and where one of them is missing."""

from typing import Any

import pytest

from atelier.compare.scores import best_of, scores_of, unit_of
from atelier.results.record import Recorded
from atelier.sweeps.records import Record

CURVES = {"val/loss": {9: 3.0, 19: 1.0, 29: 2.0}, "train/loss": {4: 0.5, 14: 0.4, 24: 0.3}, "test/loss": {30: 9.0}}


def of_steps(best_step: int | None, **more: Any) -> dict[str, float | None]:
    """The scores of a run that has validated after 10, 20 and 30 steps, and logged its training after 5, 15 and 25."""
    objective = {"metric": "val/loss", "mode": "min", "best": 1.0, "best_step": best_step}
    return scores_of(Recorded(None, {"objective": objective, **more}, {}, CURVES), "step")


@pytest.mark.parametrize(("best_step", "train"), [(10, 0.5), (20, 0.4), (30, 0.3), (5, 0.5), (None, 0.3)])
def test_the_other_metrics_are_the_last_up_to_the_best_step_and_of_the_end_where_none_was_best(
    best_step: int | None, train: float
) -> None:
    scores = of_steps(best_step, test={"loss": 1.5}, seconds={"setup": 1.0, "fit": 8.0}, parameters=7)
    assert (scores["train/loss"], scores["val/loss"], scores["test/loss"]) == (train, 1.0, 1.5)
    assert (scores["seconds"], scores["parameters"]) == (8.0, 7)


def test_a_metric_that_was_first_measured_after_the_best_step_has_no_score() -> None:
    assert "train/loss" not in of_steps(4)
    assert "test/loss" not in of_steps(30), "a curve of the test set is no test"
    assert of_steps(4, at_best={"train/loss": 0.6})["train/loss"] == 0.6, "what a record kept of it"


@pytest.mark.parametrize(
    ("counts", "unit"),
    [
        (["steps", "steps"], "step"),
        (["steps", "waiting"], "step"),  # it has not begun, and is no epoch
        (["steps", "failed", "steps"], "step"),  # before it began
        (["steps", "epochs"], "epoch"),
        ([None], "epoch"),
        (["waiting"], "epoch"),
        ([], "epoch"),
    ],
)
def test_curves_are_over_steps_if_all_runs_that_have_begun_count_them(counts: list[str | None], unit: str) -> None:
    records = [
        Record(None, {"status": one} if one in ("waiting", "failed") else {"status": "completed", "counts": one}, {})
        for one in counts
    ]
    assert unit_of(records) == unit


@pytest.mark.parametrize(("metric", "score"), [("val/loss", 1.0), ("val/accuracy", None), ("train/loss", None)])
def test_of_the_objective_of_a_comparison_a_run_with_another_has_no_score(metric: str, score: float | None) -> None:
    objective = {"metric": "val/loss", "mode": "min", "best": 1.0, "best_step": 20}
    record = Recorded(None, {"objective": objective}, {}, CURVES)
    assert scores_of(record, "step", metric)[metric] == score
    assert best_of(record, metric) == score
