"""A value that cannot be is told without a traceback: by the check, or where a constructor refuses several at once."""

from collections.abc import Callable
from typing import Any

import pytest
import torch

Run = Callable[..., Any]


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (
            ["network.hidden=[64,0]"],
            "network.hidden=[64, 0]: MLP takes a list, each item a whole number of 1 or more",
        ),
        (["optimizer.lr=-1"], "optimizer.lr=-1: Adam takes a number of 0 or more"),
        (
            ["trainer.devices='0,1'"],
            "trainer.devices=0,1: Trainer takes a whole number of 1 or more or -1 or one of: auto, -1 or a list, "
            "each item a whole number of 0 or more",
        ),
        (["seed=18446744073709551616"], f"seed={2**64}: give a whole number from 0 to below {2**64}"),
        (["data.split_seed=-1"], f"data.split_seed=-1: Digits takes a whole number from 0 to below {2**64}"),
        (
            ["data=disk", f"data.draw={10**20}"],
            f"data.draw={10**20}: Disk takes a whole number from 0 to below {2**64}",
        ),
        (["save_every=-1"], "save_every=-1: give a number of 0 or more"),
        (
            ["optimizer=sgd", "+optimizer.nesterov=true"],
            "optimizer: Nesterov momentum requires a momentum and zero dampening",
        ),
    ],
)
def test_a_value_that_cannot_be_is_told(told: Callable[..., str], overrides: list[str], message: str) -> None:
    assert told("train", "trainer=cpu", "callbacks=none", *overrides).splitlines()[-1] == message


def test_a_key_that_the_experiment_set_is_called_so(told: Callable[..., str]) -> None:
    message = told("train", "trainer=cpu", "experiment=fashion_mlp", "network=resnet")
    assert message.startswith("network.hidden (set by experiment=fashion_mlp): ResNet has no 'hidden'; ")
    assert message.endswith("; remove it with ~network.hidden\n")


def test_a_key_that_was_typed_is_not_said_to_be_the_experiments(told: Callable[..., str]) -> None:
    message = told("train", "trainer=cpu", "experiment=fashion_mlp", "+network.width=3")
    assert message.startswith("network.width: MLP has no 'width'; choose from: ")


def test_a_sweep_tells_a_wrong_network_before_its_first_job(run_verb: Run) -> None:
    outcome = run_verb("train", "-m", "trainer=cpu", "network.dropout=0,2")
    assert outcome.code == 2
    assert "1 of 2 jobs cannot run, so none was started:\n  job 1: network.dropout=2: MLP takes" in outcome.err
    assert not list(outcome.logs.rglob("run.json"))


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("trainer.limit_train_batches=0.01", "limit_train_batches"),
        ("trainer.val_check_interval=1000", "`val_check_interval` (1000)"),
        ("data.batch_size=1 network.batch_norm=true", "data.batch_size: batch norm cannot train on a batch of one"),
        ("trainer.max_epochs=-1 scheduler=cosine", "trainer.max_epochs=-1: the scheduler lays"),
    ],
)
def test_what_only_the_training_can_refuse_is_told_in_a_line(run_verb: Run, override: str, words: str) -> None:
    outcome = run_verb("train", "trainer=cpu", "callbacks=none", "network.hidden=[4]", *override.split())
    assert outcome.code == 2
    *failed, told = outcome.err.splitlines()
    assert words in told
    assert failed in ([f"Failed; the traceback is in {outcome.folder / 'run.log'}"], []), outcome.err
    assert "Traceback" in (outcome.folder / "run.log").read_text()
    assert outcome.manifest["status"] == "failed"


SHORT = ["trainer=cpu", "callbacks=none", "network.hidden=[4]", "trainer.limit_train_batches=2"]


def test_a_loss_that_is_no_number_is_told_once(run_verb: Run) -> None:
    outcome = run_verb("train", *SHORT, "trainer.max_epochs=3", "optimizer=sgd", "optimizer.lr=1e30")
    assert outcome.code == 0
    (told,) = [line for line in outcome.err.splitlines() if "train/loss" in line]
    assert told.startswith("train/loss is nan between steps 1 and 2")


def test_an_objective_that_never_was_a_number_is_told(run_verb: Run) -> None:
    diverging = ["optimizer=sgd", "optimizer.lr=1e30", "task.metric=val/loss", "task.mode=min"]
    outcome = run_verb("train", *SHORT, "trainer.max_epochs=1", *diverging)
    assert outcome.manifest["objective"]["best"] is None
    assert "val/loss was never a number, so there is no best.ckpt; last.ckpt counts" in outcome.out


@pytest.mark.parametrize("task", ["classifier", "scratch"])  # Lightning steps the schedule of one, the task the other's
def test_a_plateau_is_looked_for_after_each_validation_and_only_then(run_verb: Run, task: str) -> None:
    scratch = ["task=scratch", "network=scratch_mlp"] if task == "scratch" else []
    plateau = ["scheduler=plateau", "scheduler.scheduler.patience=0", "scheduler.scheduler.factor=0.5"]
    often = ["trainer.check_val_every_n_epoch=2", "trainer.max_epochs=6"]
    outcome = run_verb("train", *SHORT, *scratch, *plateau, *often, "optimizer.lr=1e-12", "test=false")
    assert outcome.code == 0, outcome.err
    content = torch.load(outcome.folder / "checkpoints" / "last.ckpt", weights_only=True)
    assert content["lr_schedulers"][0]["last_epoch"] == 3
    (rate,) = {group["lr"] for group in content["optimizer_states"][0]["param_groups"]}
    assert rate == pytest.approx(1e-12 / 4), "the second and third validation are no better than the first"


def test_a_rate_of_zero_can_be_scheduled(run_verb: Run) -> None:
    assert run_verb("train", *SHORT, "trainer.max_epochs=1", "optimizer.lr=0", "scheduler=cosine").code == 0


def test_a_run_that_never_validates_is_told(run_verb: Run) -> None:
    outcome = run_verb("train", *SHORT, "trainer.max_epochs=1", "trainer.check_val_every_n_epoch=3")
    assert outcome.code == 0
    assert "val/accuracy was never measured, so there is no best.ckpt; last.ckpt counts" in outcome.out
