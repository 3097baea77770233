"""Which network a run keeps and tests: that of its best validation, or of its last; and where training decides."""

import csv
from collections.abc import Callable
from typing import Any

import pytest
from omegaconf import DictConfig

from atelier.compose.targets import build

TASKS = {
    "classifier": "experiment=cifar10_mlp",
    "sequence": "experiment=palindrome_rnn",
    "scratch": "experiment=disk_scratch",
    "pairs": "experiment=pairs_best",
}


@pytest.mark.parametrize("keep", ["best", "last"])
@pytest.mark.parametrize("task", TASKS)
def test_a_task_keeps_its_best_or_its_last_network(compose: Callable[..., DictConfig], task: str, keep: str) -> None:
    assert build(compose(TASKS[task], f"task.keep={keep}").task).keep == keep


@pytest.mark.parametrize(
    "validated", [[], ["trainer.limit_val_batches=0"], ["trainer.check_val_every_n_epoch=2"]], ids=" ".join
)
def test_a_metric_of_training_is_judged_when_its_epoch_has_ended(
    run_verb: Callable[..., Any], validated: list[str]
) -> None:
    outcome = run_verb(
        *("train", "experiment=disk_mlp", "data.train_points=60", "data.test_points=20", "trainer.max_epochs=2"),
        *("trainer=cpu", "trainer.limit_val_batches=1.0", "callbacks=none", *validated),
    )
    assert (outcome.code, outcome.err) == (0, "")
    trained = [
        float(row["train/accuracy"]) for row in csv.DictReader(outcome.metrics.splitlines()) if row["train/accuracy"]
    ]
    objective = outcome.manifest["objective"]
    assert (objective["best"], objective["best_epoch"]) == (pytest.approx(trained[-1]), 1)
