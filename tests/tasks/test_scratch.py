"""Training without autograd inside the Trainer: the numbers of autograd, resumable, and refused what it cannot do."""

import csv
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any
from unittest.mock import Mock

import pytest
import torch
import torch.nn.functional as F
from lightning.pytorch.strategies import FSDPStrategy
from omegaconf import DictConfig
from torch import Tensor

from atelier.callbacks.mistakes import Mistakes
from atelier.compose.targets import build
from atelier.errors import InputError
from atelier.runs.checkpoint import open_checkpoint
from atelier.scratch.mlp import MLP

Run = Callable[..., Any]
Compose = Callable[..., DictConfig]
SMALL = [
    *("experiment=disk_scratch", "data.train_points=150", "data.test_points=100", "data.batch_size=30"),
    *("network.hidden=[8,8]", "network.batch_norm=true", "network.dropout=0.2", "trainer=cpu", "callbacks=none"),
    *("initializer=he_normal", "data.validation_share=0.2"),
    *("trainer.limit_val_batches=1.0", "task.metric=val/accuracy"),
]
# A bias before batch norm has no gradient but rounding, which these optimizers scale to a step of usual size.
NO_BATCH_NORM = "network.batch_norm=false"
SETTINGS = [
    ["optimizer=sgd", "scheduler=exponential", "optimizer.weight_decay=0.1"],
    ["optimizer=sgd_momentum", "scheduler=plateau", "scheduler.scheduler.patience=0", "network.output=sigmoid"],
    ["optimizer=adam", "scheduler=one_cycle", "optimizer.lr=0.01", "activation=tanh", NO_BATCH_NORM],
    ["optimizer=rmsprop", "scheduler=cosine", "optimizer.lr=0.01", "activation=leaky_relu_02", NO_BATCH_NORM],
    ["optimizer=adagrad", "optimizer.lr=0.03", "activation=sigmoid", NO_BATCH_NORM],
]


def weights(outcome: Any) -> dict[str, Tensor]:
    return open_checkpoint(outcome.folder / "checkpoints" / "last.ckpt")["state_dict"]


def numbers(outcome: Any) -> list[dict[str, float]]:
    """The rows of metrics.csv, without what a clock has measured."""
    rows = csv.DictReader(outcome.metrics.splitlines())
    return [{key: float(value) for key, value in row.items() if value and "second" not in key} for row in rows]


@pytest.mark.parametrize(
    "setting",
    [pytest.param(one, marks=[pytest.mark.slow] * (n not in (1, 2))) for n, one in enumerate(SETTINGS)],
    ids=" ".join,
)
def test_a_training_by_hand_is_one_by_autograd(run_verb: Run, setting: list[str]) -> None:
    """The same forward, once with the framework's gradients and optimizers, once with autograd and torch's."""
    by_hand, by_autograd = (
        run_verb("train", *SMALL, *setting, "trainer.max_epochs=4", f"task={task}")
        for task in ("scratch", "classifier")
    )
    assert (by_hand.code, by_hand.err, by_autograd.code) == (0, "", 0)
    ours, theirs = weights(by_hand), weights(by_autograd)
    layers = [name for name in ours if name.startswith("network.")]
    assert len(layers) == (6 if NO_BATCH_NORM in setting else 6 + 2 * 4)
    for name in layers:
        torch.testing.assert_close(ours[name], theirs[name], rtol=1e-3, atol=1e-4)
    assert by_hand.manifest["steps"] == by_autograd.manifest["steps"] == 4 * 120 // 30
    for one, two in zip(numbers(by_hand), numbers(by_autograd), strict=True):
        assert one == pytest.approx(two, rel=1e-2, abs=1e-3)


def test_no_gradient_is_automatic(run_verb: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    enabled: list[bool] = []

    def noting(method: str) -> None:
        whole = getattr(MLP, method)

        def noted(self: MLP, given: Tensor) -> Tensor:
            enabled.append(torch.is_grad_enabled())
            return whole(self, given)

        monkeypatch.setattr(MLP, method, noted)

    def refuse(*args: Any, **kwargs: Any) -> None:
        raise AssertionError("autograd was called")

    noting("forward")
    noting("backward")
    monkeypatch.setattr(torch.autograd, "backward", refuse)
    monkeypatch.setattr(torch.autograd, "grad", refuse)
    outcome = run_verb("train", *SMALL, "trainer.max_epochs=1")
    assert (outcome.code, outcome.err) == (0, "")
    assert len(enabled) > 8
    assert not any(enabled)


@pytest.mark.parametrize(
    "setting",
    [SETTINGS[1], pytest.param(["optimizer=adam", "scheduler=exponential"], marks=pytest.mark.slow)],
    ids=" ".join,
)
def test_a_resumed_run_has_the_numbers_of_one_that_never_stopped(run_verb: Run, setting: list[str]) -> None:
    whole = run_verb("train", *SMALL, *setting, "trainer.max_epochs=3")
    begun = run_verb("train", *SMALL, *setting, "trainer.max_epochs=1", "test=false")
    resumed = run_verb("train", f"resume={begun.folder}", "trainer.max_epochs=3", "test=true")
    assert (whole.code, begun.code, resumed.code) == (0, 0, 0), resumed.err
    assert numbers(begun) == numbers(whole)
    ours, theirs = weights(begun), weights(whole)
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)


@pytest.mark.slow
def test_it_learns_digits_too(run_verb: Run) -> None:
    outcome = run_verb(
        *("train", "data=digits", "network=scratch_mlp", "network.hidden=[32]", "task=scratch", "trainer=cpu"),
        *("optimizer=adam", "optimizer.lr=0.01", "trainer.max_epochs=3", "callbacks=none"),
    )
    assert (outcome.code, outcome.err) == (0, "")
    assert outcome.manifest["test"]["accuracy"] > 0.9


@pytest.mark.parametrize("criterion", ["cross_entropy", "mse"])
def test_validation_and_test_measure_the_criterion(compose: Compose, criterion: str) -> None:
    torch.manual_seed(0)
    task = build(compose("experiment=disk_scratch", f"task.criterion={criterion}").task)
    inputs, classes = torch.randn(20, 2), torch.arange(20) % 2
    with torch.no_grad():
        task.validation_step((inputs, classes), 0)
        outputs = task.test_step((inputs, classes), 0)["logits"]
    expected = {
        "cross_entropy": F.cross_entropy(outputs, classes),
        "mse": F.mse_loss(outputs, F.one_hot(classes, 2).float()),
    }[criterion]
    for loss in (task.val_loss, task.test_loss):
        assert loss.compute().item() == pytest.approx(expected.item(), rel=1e-6)
    right = (outputs.argmax(1) == classes).float().mean().item()
    assert task.val_accuracy.compute().item() == pytest.approx(right)
    logged: dict[str, Any] = {}
    task.log_metrics, task.log, task.log_dict = (lambda *_: logged.update(_[1])), Mock(), Mock()
    task.on_test_epoch_end()
    assert ("expected_calibration_error" in logged) == (criterion == "cross_entropy"), "of outputs that are logits"


@pytest.mark.parametrize("criterion", ["cross_entropy", "mse"])
def test_outputs_that_are_no_logits_tell_no_confidence(compose: Compose, criterion: str) -> None:
    """They are near 0 and 1: the softmax of a certain answer about ten classes is 0.23."""
    task = build(compose("experiment=disk_scratch", f"task.criterion={criterion}").task)
    (answer,) = task.answers(torch.tensor([[0.0, 1.0]]))
    assert answer == {"class": 1} | ({"probability": 0.7311} if criterion == "cross_entropy" else {})
    trainer: Any = SimpleNamespace(datamodule=SimpleNamespace(eval_batch_size=1), world_size=1, global_rank=0)
    mistakes = Mistakes(count=1)
    tested = {"logits": torch.tensor([[0.0, 1.0]]), "classes": torch.tensor([0])}
    mistakes.on_test_batch_end(trainer, task, tested, (torch.zeros(1, 1, 2, 2), tested["classes"]), 0)
    assert (mistakes.found is None) == (criterion == "mse")


def test_an_image_and_its_mirror_image_are_averaged(compose: Compose) -> None:
    task = build(compose("data=digits", "network=scratch_mlp", "task=scratch", "task.mirrored=true").task).eval()
    images = torch.rand(5, 1, 8, 8)
    with torch.no_grad():
        averaged = (task.network(images) + task.network(images.flip(3))) / 2
        assert torch.equal(task(images), averaged)
        assert not torch.equal(task(images), task.network(images))


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("network=mlp", "task=scratch cannot train a MLP: choose network=scratch_mlp"),
        ("penalty=l2", "penalty: task=scratch has none; set optimizer.weight_decay"),
        ("trainer.gradient_clip_val=1.0", "trainer.gradient_clip_val=1.0: task=scratch does not clip"),
        ("optimizer=adamw", "optimizer: the framework without autograd has no AdamW; choose from: sgd, sgd_momentum"),
        ("optimizer=nesterov", "optimizer.nesterov=True: the framework without autograd has no such option"),
    ],
)
def test_what_it_cannot_do_is_refused(compose: Compose, override: str, message: str) -> None:
    with pytest.raises(InputError, match=f"^{message}"):
        build(compose("experiment=disk_scratch", override).task)


@pytest.mark.parametrize(
    ("trainer", "message"),
    [
        ({"strategy": Mock(spec=FSDPStrategy)}, "trainer=fsdp: task=scratch needs all weights in each process"),
        ({"precision": "16-mixed"}, "trainer.precision=16-mixed scales autograd's gradients"),
    ],
    ids=["fsdp", "16-mixed"],
)
def test_a_trainer_that_cannot_train_it_is_refused(compose: Compose, trainer: dict[str, Any], message: str) -> None:
    task = build(compose("experiment=disk_scratch").task)
    given = {"datamodule": SimpleNamespace(), "strategy": None, "precision": "32-true"}
    task._trainer = SimpleNamespace(**given)
    task.setup("fit")
    task._trainer = SimpleNamespace(**{**given, **trainer})
    with pytest.raises(InputError, match=f"^{message}"):
        task.setup("fit")


def test_a_frozen_part_is_refused(compose: Compose) -> None:
    task = build(compose("experiment=disk_scratch").task)
    next(task.network.parameters()).requires_grad_(False)
    with pytest.raises(InputError, match=r"^start\.freeze: task=scratch trains the whole network"):
        task.configure_optimizers()


@pytest.mark.slow
def test_two_processes_train_as_one_does_on_larger_batches(run_process: Run, run_verb: Run) -> None:
    plain = [*SMALL, "network.dropout=0", "network.batch_norm=false", "trainer.max_epochs=2"]
    alone = run_verb("train", *plain)
    both = run_process("train", *plain, "data.batch_size=15", "trainer=ddp_cpu")
    assert (both.code, both.err) == (0, "")
    assert both.manifest["steps"] == alone.manifest["steps"]
    ours, theirs = weights(both), weights(alone)
    for name in theirs:
        if name.startswith("network."):
            torch.testing.assert_close(ours[name], theirs[name], rtol=1e-4, atol=1e-6)
