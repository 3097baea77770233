"""A callback that draws validation images and their reconstructions during the training."""

from pathlib import Path
from typing import Annotated, Any

import lightning.pytorch as lightning
import torch
from annotated_types import Ge

from atelier.callbacks.frames import animate_folder, frame_path, is_due, lacks, looking
from atelier.callbacks.watcher import Watcher
from atelier.figures.gallery import frame, interleave

COLUMNS = 8


class Reconstructions(Watcher):
    """Draws `reconstructions/epoch_NNNN.png` during the training of a task with `reconstruct`: rows of images, each
    above the row of its reconstructions; at the end, all of them as `reconstructions.gif`.

    Args:
        count: number of images.
        every: interval in epochs; None spreads `frames` figures over the run.
        frames: approximate number of figures, if `every` is None.
    """

    def __init__(
        self, count: Annotated[int, Ge(1)], every: Annotated[int, Ge(1)] | None, frames: Annotated[int, Ge(1)]
    ) -> None:
        self.count, self.every, self.frames = count, every, frames

    def on_train_epoch_end(self, trainer: lightning.Trainer, task: Any) -> None:
        done = trainer.current_epoch + 1
        if is_due(trainer, done, self.every, self.frames):
            self.draw(trainer, task, done)

    def draw(self, trainer: lightning.Trainer, task: Any, done: int) -> None:
        if not trainer.is_global_zero or not hasattr(task, "reconstruct"):
            return
        data: Any = trainer.datamodule  # type: ignore[attr-defined]
        rows = torch.linspace(0, len(data.sets["val"]) - 1, min(self.count, len(data.sets["val"]))).long()
        images = data.normalise(data.sets["val"][rows][0].to(task.device))
        if images.dim() != 4:
            return
        with looking(task):
            pictures = interleave(task.as_pictures(images), task.reconstruct(images), columns=COLUMNS)
        frame(pictures, COLUMNS).save(frame_path(self.folder(trainer), done))

    def on_train_end(self, trainer: lightning.Trainer, task: Any) -> None:
        if not trainer.is_global_zero:
            return
        if lacks(self.folder(trainer), done := trainer.current_epoch):
            self.draw(trainer, task, done)
        animate_folder(self.folder(trainer))

    def folder(self, trainer: lightning.Trainer) -> Path:
        return Path(trainer.default_root_dir) / "figures" / "reconstructions"
