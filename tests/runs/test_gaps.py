"""Both gaps, from files written by hand."""

from pathlib import Path
from typing import Any

import pytest

from atelier.runs.rows import gaps

METRICS = """\
epoch,step,val/accuracy,val/loss,train/accuracy,train/loss,train/clean_loss,train/clean_accuracy,test/accuracy
0,9,0.5,1.5,,,,,
0,9,,,0.6,1.25,1.0,,0.25
1,19,0.75,1.0,,,,,
1,19,,,0.875,0.5,0.25,1.0,0.375
2,29,0.625,0.75,,,,,
3,30,,,,,,,0.5
"""


@pytest.fixture
def metrics(tmp_path: Path) -> Path:
    file = tmp_path / "metrics.csv"
    file.write_text(METRICS)
    return file


def objective(metric: str, mode: str, best: float | None, epoch: int | None) -> dict[str, Any]:
    step = None if epoch is None else 10 * epoch + 10
    return {"metric": metric, "mode": mode, "best": best, "best_epoch": epoch, "best_step": step}


def test_of_an_accuracy_they_are_clean_training_minus_validation_and_minus_test(metrics: Path) -> None:
    found = gaps(metrics, objective("val/accuracy", "max", 0.75, 1), "epoch", {"accuracy": 0.5, "loss": 9.0})
    assert found == {"validation_gap": 0.25, "generalisation_gap": 0.5}


def test_of_a_loss_they_are_validation_and_test_minus_clean_training(metrics: Path) -> None:
    found = gaps(metrics, objective("val/loss", "min", 1.0, 1), "epoch", {"loss": 2.0})
    assert found == {"validation_gap": 0.75, "generalisation_gap": 1.75}


def test_running_training_makes_a_validation_gap_and_no_generalisation_gap(metrics: Path) -> None:
    found = gaps(metrics, objective("val/accuracy", "max", 0.5, 0), "epoch", {"accuracy": 0.5})
    assert found == {"validation_gap": pytest.approx(0.1)}


def test_a_run_that_was_not_tested_has_no_generalisation_gap(metrics: Path) -> None:
    assert gaps(metrics, objective("val/accuracy", "max", 0.75, 1), "epoch", {}) == {"validation_gap": 0.25}


def test_a_run_that_counts_steps_has_them_at_its_best_step(metrics: Path) -> None:
    found = gaps(metrics, objective("val/accuracy", "max", 0.75, 1), "step", {"accuracy": 0.5})
    assert found == {"validation_gap": 0.25, "generalisation_gap": 0.5}


@pytest.mark.parametrize(
    "without",
    [
        objective("val/accuracy", "max", 0.625, 2),  # the epoch ended before the training was logged
        objective("val/fid", "min", 3.0, 1),  # there is no training value of it
        objective("train/loss", "min", 0.5, 1),
        objective("val/accuracy", "max", None, None),
    ],
)
def test_without_the_two_values_there_is_none(metrics: Path, without: dict[str, Any]) -> None:
    assert gaps(metrics, without, "epoch", {"accuracy": 0.5, "fid": 2.0}) == {}
