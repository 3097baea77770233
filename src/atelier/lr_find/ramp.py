"""A callback that raises the learning rate from step to step, and the suggestion from the losses that it records."""

import time
from typing import Any

import lightning.pytorch as lightning
import numpy as np
import torch
from lightning.pytorch.callbacks import Callback
from numpy.typing import NDArray

from atelier.errors import InputError

STEPS = 200
LOWEST, HIGHEST = 1e-7, 10.0
RATES = np.geomspace(LOWEST, HIGHEST, STEPS)  # 25 steps for a factor of ten
NEAR = 12  # steps on each side over which a loss is averaged, together a factor of ten
BELOW = 10  # the suggestion is the rate of the lowest loss, divided by this
SURE = 5  # standard errors that the loss must fall
LATEST = 6  # steps over which a loss is averaged that may have diverged
WORSE = 3  # a training has diverged whose loss rises so many times the first loss above its lowest


class Ramp(Callback):
    """Gives each optimizer step of a training the next of RATES, and records its loss before the step.

    The training ends after the last rate, or when it diverges: when a loss is not finite, or has risen far above the
    lowest. The recorded loss is the mean over the step's batches and processes.
    """

    def __init__(self) -> None:
        self.losses: list[float] = []
        self.batches: list[torch.Tensor] = []  # losses of the batches of an unfinished step
        self.told = time.monotonic()

    def on_train_start(self, trainer: lightning.Trainer, task: Any) -> None:
        """
        Raises:
            InputError: for a task with several optimizers, which need a learning rate each.
        """
        if (count := len(trainer.optimizers)) != 1:
            told = f"{type(task).__name__} has {count} optimizers with a learning rate each, and one can be looked for"
            raise InputError(f"lr_find=true: {told}")

    def on_train_batch_start(self, trainer: lightning.Trainer, task: Any, batch: Any, batch_index: int) -> None:
        for group in trainer.optimizers[0].param_groups:
            group["lr"] = float(RATES[len(self.losses)])

    def on_train_batch_end(
        self, trainer: lightning.Trainer, task: Any, outputs: Any, batch: Any, batch_index: int
    ) -> None:
        """
        Raises:
            InputError: if the task's training step returns no loss.
        """
        if not outputs:
            raise InputError(f"lr_find=true: {type(task).__name__}.training_step returns no loss")
        self.batches.append(outputs["loss"].detach() * trainer.accumulate_grad_batches)  # Lightning has divided by it
        if trainer.global_step == len(self.losses):
            return
        loss = float(trainer.strategy.reduce(torch.stack(self.batches).mean(), reduce_op="mean"))
        self.batches.clear()
        self.losses.append(loss)
        trainer.should_stop = diverged(self.losses)
        if trainer.is_global_zero and time.monotonic() - self.told >= 1:
            self.told = time.monotonic()
            done = len(self.losses)
            print(f"step {done}/{STEPS}  learning rate {RATES[done - 1]:.2g}  loss {loss:.4g}", flush=True)


def diverged(losses: list[float]) -> bool:
    """Whether the latest loss is not finite, or the mean of the LATEST losses is far above the lowest such mean."""
    if not np.isfinite(losses[-1]):
        return True
    if len(losses) < LATEST:
        return False
    means = np.convolve(losses, np.full(LATEST, 1 / LATEST), "valid")
    return bool(means[-1] - means.min() > WORSE * abs(means[0]))


def smoothed(losses: list[float]) -> NDArray[np.float64]:
    """The mean of each loss and its NEAR neighbours on each side; NaN for those with fewer, and beside a NaN."""
    means = np.full(len(losses), np.nan)
    wide = 2 * NEAR + 1
    if len(losses) >= wide:
        means[NEAR:-NEAR] = np.convolve(losses, np.full(wide, 1 / wide), "valid")
    return means


def suggestion(losses: list[float]) -> float | None:
    """A learning rate for a training, from the losses of a `Ramp`: a tenth of the rate at which they are lowest.

    Returns:
        The rate, rounded to two digits; None if the losses do not fall by more than their scatter explains.
    """
    means = smoothed(losses)
    if np.isnan(means).all():
        return None
    lowest = int(np.nanargmin(means))
    error = np.std(losses[: 2 * NEAR + 1]) / np.sqrt(2 * NEAR + 1)
    if means[NEAR] - means[lowest] <= SURE * error:
        return None
    return float(f"{RATES[lowest] / BELOW:.1e}")
