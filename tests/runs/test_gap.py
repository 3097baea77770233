"""The generalisation gap, from files written by hand."""

from pathlib import Path
from typing import Any

import pytest

from atelier.runs.gap import generalisation_gap

METRICS = """\
epoch,step,val/accuracy,val/loss,train/accuracy,train/loss,train/clean_loss
0,9,0.5,1.5,,,
0,9,,,0.6,1.25,1.0
1,19,0.75,1.0,,,
1,19,,,0.875,0.5,0.25
2,29,0.625,0.75,,,
"""


@pytest.fixture
def metrics(tmp_path: Path) -> Path:
    file = tmp_path / "metrics.csv"
    file.write_text(METRICS)
    return file


def objective(metric: str, mode: str, best: float | None, epoch: int | None) -> dict[str, Any]:
    step = None if epoch is None else 10 * epoch + 10
    return {"metric": metric, "mode": mode, "best": best, "best_epoch": epoch, "best_step": step}


def test_of_an_accuracy_it_is_training_minus_validation(metrics: Path) -> None:
    assert generalisation_gap(metrics, objective("val/accuracy", "max", 0.75, 1), "epoch") == 0.125


def test_of_a_loss_it_is_validation_minus_training_as_measured_without_dropout(metrics: Path) -> None:
    assert generalisation_gap(metrics, objective("val/loss", "min", 1.0, 1), "epoch") == 0.75


def test_a_run_that_counts_steps_has_it_at_its_best_step(metrics: Path) -> None:
    assert generalisation_gap(metrics, objective("val/accuracy", "max", 0.5, 0), "step") == pytest.approx(0.1)


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
    assert generalisation_gap(metrics, without, "epoch") is None
