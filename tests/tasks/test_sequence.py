"""The task of sequences: the gradient's norm, clipping, and networks that learn."""

import csv
from collections.abc import Callable
from functools import partial
from typing import Any

import lightning.pytorch as lightning
import pytest
import torch
from torch import nn

from atelier.losses.penalty import none
from atelier.tasks.schedule import Schedule
from atelier.tasks.sequence import SequencePredictor

Run = Callable[..., Any]
STEPS = ["trainer=cpu", "trainer.max_epochs=-1", "trainer.check_val_every_n_epoch=null", "callbacks=none"]
PALINDROMES = ["data=palindromes", "task=sequence", "network.hidden=32", *STEPS]


def rows(outcome: Any) -> list[dict[str, str]]:
    assert outcome.code == 0, outcome.err
    return list(csv.DictReader(outcome.metrics.splitlines()))


def test_an_rnn_learns_palindromes_of_three_digits_in_seconds(run_verb: Run) -> None:
    length = ["data.length=3", "optimizer.lr=0.01", "trainer.max_steps=150", "trainer.val_check_interval=50"]
    outcome = run_verb("train", "network=rnn", *PALINDROMES, *length)
    found = rows(outcome)
    assert [row["step"] for row in found if row["val/accuracy"]] == ["49", "99", "149"]
    assert outcome.manifest["test"]["accuracy"] == 1
    assert outcome.manifest["objective"]["best"] == 1
    assert outcome.manifest["steps"] == 150


def one_step(monkeypatch: pytest.MonkeyPatch, run_verb: Run, *overrides: str) -> tuple[float, float]:
    """After one step of SGD with lr 1: the logged norm of the gradient, and that of the change of the weights."""
    weights: list[torch.Tensor] = []

    def note(task: Any, *args: Any) -> None:
        weights.append(torch.cat([parameter.detach().flatten().clone() for parameter in task.parameters()]))

    monkeypatch.setattr(SequencePredictor, "on_train_start", note)
    monkeypatch.setattr(SequencePredictor, "on_train_end", note)
    once = ["trainer.max_steps=1", "trainer.val_check_interval=1", "optimizer=sgd", "optimizer.lr=1.0", "test=false"]
    outcome = run_verb("train", "network=rnn", *PALINDROMES, *once, *overrides)
    (norm,) = (float(row["train/gradient_norm"]) for row in rows(outcome))
    return norm, float((weights[1] - weights[0]).norm())


def test_the_gradients_norm_is_logged_as_it_is_before_clipping(monkeypatch: pytest.MonkeyPatch, run_verb: Run) -> None:
    unclipped, change = one_step(monkeypatch, run_verb)
    assert unclipped == pytest.approx(change, rel=1e-4)
    assert unclipped > 0.05
    norm, change = one_step(monkeypatch, run_verb, "trainer.gradient_clip_val=0.01")
    assert norm == pytest.approx(unclipped, rel=1e-5)
    assert change == pytest.approx(0.01, rel=1e-3)


def test_a_small_gradient_is_left_alone(monkeypatch: pytest.MonkeyPatch, run_verb: Run) -> None:
    norm, change = one_step(monkeypatch, run_verb, "trainer.gradient_clip_val=100")
    assert change == pytest.approx(norm, rel=1e-4)


def test_rows_of_pictures_are_read(run_verb: Run) -> None:
    few = ["data.source=fake", "network.hidden=8", "trainer.max_steps=4", "trainer.val_check_interval=2"]
    outcome = run_verb("train", "data=mnist_rows", "network=gru", "task=sequence", *STEPS, *few)
    assert outcome.code == 0, outcome.err
    assert set(outcome.manifest["test"]) == {"loss", "accuracy"}


def predictor(penalty: Callable[[nn.Module], Any] = none, network: nn.Module | None = None) -> SequencePredictor:
    return SequencePredictor(
        penalty,
        network=network or nn.Identity(),
        optimizer=partial(torch.optim.SGD, lr=0.1),
        scheduler=Schedule(None),
        metric="val/accuracy",
        mode="max",
    )


def test_the_penalty_is_trained_and_not_reported() -> None:
    logits, classes = torch.tensor([[0.0, 0.75, 0.25], [0.5, 0.25, 0.25]]), torch.tensor([1, 2])
    task, expected = predictor(lambda network: 5.0), nn.functional.cross_entropy(logits, classes).item()
    assert task.training_step((logits, classes), 0).item() == pytest.approx(expected + 5)
    assert task.train_loss.compute().item() == pytest.approx(expected)


def test_values_are_clipped_each_by_itself_where_that_is_asked() -> None:
    task = predictor(network=nn.Linear(2, 1, bias=False))
    task.trainer = lightning.Trainer(
        accelerator="cpu", logger=False, gradient_clip_val=1.0, gradient_clip_algorithm="value"
    )
    (weight,) = task.network.parameters()
    weight.grad = torch.tensor([[3.0, -0.5]])
    task.configure_gradient_clipping(task.optimizer_of(task.network), 1.0, "value")
    assert weight.grad.tolist() == [[1.0, -0.5]]
    assert task.train_gradient_norm.compute().item() == pytest.approx(9.25**0.5), "as it was before"


def test_the_norm_of_gradients_of_16_bits_is_of_32() -> None:
    task = predictor(network=nn.Linear(257, 257, bias=False).bfloat16())
    task.trainer = lightning.Trainer(accelerator="cpu", logger=False)
    for weight in task.network.parameters():
        weight.grad = torch.ones_like(weight)
    task.configure_gradient_clipping(task.optimizer_of(task.network))
    assert task.train_gradient_norm.compute().item() == 257, "in bf16 it would be 256 or 258"


def test_answers_are_the_most_probable_classes() -> None:
    task = predictor()
    logits = torch.tensor([[0.0, 0.75, 0.25], [0.5, 0.25, 0.25]]).log()
    assert task.answers(logits) == [{"class": 1, "probability": 0.75}, {"class": 0, "probability": 0.5}]
    assert task.answers(logits * torch.nan)[0] == {"class": None, "probability": None}
    task.validation_step((logits * torch.nan, torch.tensor([0, 0])), 0)
    assert task.val_accuracy.compute() == 0
    assert task.captions(torch.tensor([3, 7])) == ["3", "7"]
