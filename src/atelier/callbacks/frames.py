"""Functions for callbacks that draw a figure repeatedly during a training."""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import lightning.pytorch as lightning
import torch

from atelier.figures.gallery import animate, read


def is_due(trainer: lightning.Trainer, done: int, every: int | None, frames: int) -> bool:
    """Whether a figure is due after `done` epochs: regularly, and after the middle and the last epoch.

    Args:
        done: number of finished epochs.
        every: interval in epochs; None spreads about `frames` figures over the run.
    """
    epochs = epochs_of(trainer)
    if epochs < 0:
        return done % (every or 1) == 0
    return done % (every or math.ceil(epochs / frames)) == 0 or done in (epochs // 2, epochs)


def epochs_of(trainer: lightning.Trainer) -> int:
    """The number of epochs of a training, the last of which `trainer.max_steps` may cut short; -1: no limit."""
    task: Any = trainer.lightning_module
    steps = trainer.estimated_stepping_batches
    return -1 if steps == math.inf else math.ceil(steps / task.steps_per_epoch)


@contextmanager
def looking(task: Any) -> Iterator[None]:
    """Inside this context, a task is in evaluation mode, see `Task.evaluating`, and computes no gradients."""
    with torch.no_grad(), task.evaluating():
        yield


def frame_path(folder: Path, epochs: int) -> Path:
    folder.mkdir(exist_ok=True)
    return folder / frame_name(epochs)


def lacks(folder: Path, epochs: int) -> bool:
    """Whether a training that ends after so many epochs, earlier than planned, has no figure of its end."""
    return epochs > 0 and not (folder / frame_name(epochs)).exists()


def frame_name(epochs: int) -> str:
    return f"epoch_{epochs:04d}.png"


def animate_folder(folder: Path) -> None:
    """Write all figures of a folder, in the order of their epochs, as a GIF beside the folder."""
    files = sorted(folder.glob("epoch_*.png"), key=lambda file: (len(file.name), file.name))  # 10,000 has five digits
    if len(files) > 1:
        animate([read(file) for file in files], folder.with_suffix(".gif"))
