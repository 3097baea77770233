"""Gradients to be clipped: with a fused optimizer and 16-mixed, they are those of the scaled loss."""

import warnings
from functools import partial
from typing import Any

import lightning.pytorch as lightning
import pytest
import torch
from lightning.pytorch.plugins.precision import MixedPrecision
from torch import Tensor, nn
from torch.optim import Adam
from torch.utils.data import DataLoader, TensorDataset

from atelier.errors import InputError
from atelier.losses.penalty import none
from atelier.tasks.manual import ManualTask
from atelier.tasks.schedule import Schedule
from atelier.tasks.sequence import SequencePredictor
from atelier.tasks.task import Task


class Manual(ManualTask):
    def training_step(self, batch: list[Tensor], batch_index: int) -> None:
        with self.turn_of(0):
            self.step_optimizer(0, self.network(batch[0]).square().mean())
        self.step_schedulers()


class Plain(Task):
    """Clipped by Lightning."""

    def training_step(self, batch: list[Tensor], batch_index: int) -> Tensor:
        return self.network(batch[0]).square().mean()


def task_of(kind: str, fused: bool, clip: float | None) -> Any:
    torch.manual_seed(0)
    given = {"network": nn.Linear(2, 2), "optimizer": partial(Adam, lr=1e-3, fused=fused), "scheduler": Schedule(None)}
    if kind == "sequence":
        return SequencePredictor(none, metric="val/loss", mode="min", **given)
    task = (Plain if kind == "plain" else Manual)(metric="val/loss", mode="min", **given)
    task.gradient_clip_val = clip
    return task


def train(task: Any, clip: float | None, **scaler: float) -> lightning.Trainer:
    """Two steps in 16-mixed, which scales the loss also on a processor if its plugin is given."""
    quiet = {"logger": False, "enable_checkpointing": False, "enable_progress_bar": False}
    given = {"gradient_clip_val": clip if task.automatic_optimization else None, "accelerator": "cpu", "max_epochs": 1}
    rows = TensorDataset(torch.tensor([[1.0, 2.0], [3.0, -1.0]]), torch.tensor([0, 1]))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about workers and logging, which are the run's affair
        plugin = MixedPrecision("16-mixed", "cpu", torch.amp.GradScaler("cpu", **scaler))  # type: ignore[arg-type]
        trainer = lightning.Trainer(plugins=plugin, enable_model_summary=False, **quiet, **given)
        trainer.fit(task, DataLoader(rows, batch_size=1))
    return trainer


@pytest.mark.parametrize("kind", ["manual", "plain", "sequence"])
def test_scaled_gradients_are_not_clipped(kind: str) -> None:
    told = (
        r"^trainer\.gradient_clip_val=0\.5: with trainer\.precision=16-mixed, a fused optimizer unscales only"
        r" after the clipping; leave out optimizer\.fused or give trainer\.precision=bf16-mixed$"
    )
    with pytest.raises(InputError, match=told):
        train(task_of(kind, fused=True, clip=0.5), clip=0.5)
    train(task_of(kind, fused=False, clip=0.5), clip=0.5)
    train(task_of(kind, fused=True, clip=None), clip=None)


def test_the_norm_of_scaled_gradients_is_not_logged() -> None:
    trainer = train(task_of("sequence", fused=False, clip=None), clip=None)
    assert 0 < trainer.callback_metrics["train/gradient_norm"] < 10
    trainer = train(task_of("sequence", fused=True, clip=None), clip=None)
    assert "train/gradient_norm" not in trainer.callback_metrics, "it would be 65536 times as large"


@pytest.mark.parametrize("clip", [None, 0.1])
def test_a_step_that_the_scaler_leaves_out_has_no_norm(clip: float | None) -> None:
    """The first gradient overflows, the second is of the same weights."""
    alone = train(task_of("sequence", fused=False, clip=None), clip=clip, init_scale=2.0**40, backoff_factor=2.0**-30)
    both = train(task_of("sequence", fused=False, clip=None), clip=clip, init_scale=2.0**10)
    one, mean = (trainer.callback_metrics["train/gradient_norm"].item() for trainer in (alone, both))
    network = task_of("sequence", fused=False, clip=None).network
    nn.functional.cross_entropy(network(torch.tensor([[3.0, -1.0]])), torch.tensor([1])).backward()
    expected = nn.utils.get_total_norm([weight.grad for weight in network.parameters()]).item()  # type: ignore[misc]
    assert one == pytest.approx(expected, rel=1e-2)
    assert mean != pytest.approx(one, rel=1e-2)
