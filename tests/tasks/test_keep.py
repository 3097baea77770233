"""Which network a run keeps and tests: that of its best validation, or of its last; and where training decides."""

import csv
from collections.abc import Callable
from typing import Any

import pytest
import torch
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
def test_a_task_can_be_told_which_network_it_keeps(compose: Callable[..., DictConfig], task: str, keep: str) -> None:
    assert build(compose(TASKS[task], f"task.keep={keep}").task).keep == keep


POINTS = ["experiment=disk_mlp", "data.train_points=60", "data.test_points=20", "trainer=cpu", "callbacks=none"]


@pytest.mark.parametrize(("keep", "kept"), [("best", 0), ("last", 2)])
def test_what_is_tested_is_the_best_network_or_the_last(run_verb: Callable[..., Any], keep: str, kept: int) -> None:
    """The loss of training falls; the largest is called best here, so that the first of three epochs is it."""
    outcome = run_verb(
        *("train", *POINTS, "trainer.max_epochs=3", "trainer.limit_val_batches=0", "optimizer.lr=0.01"),
        *("task.metric=train/loss", "task.mode=max", f"task.keep={keep}"),
    )
    assert (outcome.code, outcome.err) == (0, "")
    losses = [float(row["train/loss"]) for row in csv.DictReader(outcome.metrics.splitlines()) if row["train/loss"]]
    assert losses[0] == max(losses) != losses[2]
    assert outcome.manifest["objective"]["best_epoch"] == kept
    best, last = (
        torch.load(outcome.folder / "checkpoints" / f"{name}.ckpt", weights_only=True)["state_dict"]
        for name in ("best", "last")
    )
    network = [name for name in last if name.startswith("network.")]
    assert all(torch.equal(best[name], last[name]) for name in network) == (keep == "last")


@pytest.mark.parametrize(("every", "logged"), [(2, [1, 3, 5, 7, 9, 11]), (4, [3, 5, 7, 11]), (0, [5, 11])])
def test_the_clean_pass_over_the_training_set_comes_with_a_validation(
    run_verb: Callable[..., Any], every: int, logged: list[int]
) -> None:
    """It costs as much as one, and more; the metrics of the training steps cost nothing."""
    outcome = run_verb(
        *("train", "trainer=cpu", "callbacks=none", "network.hidden=[8]", "data.train_size=150", "data.batch_size=16"),
        *("task.clean_train_accuracy=true", "trainer.max_epochs=-1", "trainer.max_steps=12", "test=false"),
        *("trainer.check_val_every_n_epoch=null", "trainer.val_check_interval=6", f"trainer.log_every_n_steps={every}"),
    )
    assert (outcome.code, outcome.err) == (0, "")
    rows = list(csv.DictReader(outcome.metrics.splitlines()))
    assert [int(row["step"]) for row in rows if row["train/accuracy"]] == logged
    assert [int(row["step"]) for row in rows if row["train/clean_accuracy"]] == [5, 11]


@pytest.mark.parametrize(
    "validated", [[], ["trainer.limit_val_batches=0"], ["trainer.check_val_every_n_epoch=2"]], ids=" ".join
)
def test_a_metric_of_training_is_judged_when_its_epoch_has_ended(
    run_verb: Callable[..., Any], validated: list[str]
) -> None:
    outcome = run_verb(*("train", *POINTS, "trainer.max_epochs=2", "trainer.limit_val_batches=1.0", *validated))
    assert (outcome.code, outcome.err) == (0, "")
    trained = [
        float(row["train/accuracy"]) for row in csv.DictReader(outcome.metrics.splitlines()) if row["train/accuracy"]
    ]
    objective = outcome.manifest["objective"]
    assert (objective["best"], objective["best_epoch"]) == (pytest.approx(trained[-1]), 1)
