"""Pictures of the validation set beside what an autoencoder makes of them, over the training."""

from pathlib import Path
from typing import Annotated, Any

import lightning.pytorch as lightning
import torch
from annotated_types import Ge

from atelier.callbacks.frames import animate_folder, frame_path, is_due, looking
from atelier.callbacks.watcher import Watcher
from atelier.figures.gallery import frame, interleave

COLUMNS = 8


class Reconstructions(Watcher):
    """Draws `reconstructions/epoch_NNNN.png` during the training of a task that reconstructs: each line of pictures
    above the line of what became of them; at its end all of them as `reconstructions.gif`.

    Args:
        count: how many pictures.
        every: a picture every so many epochs; None spreads `frames` of them over the run.
        frames: how many about, where `every` is None.
    """

    def __init__(
        self, count: Annotated[int, Ge(1)], every: Annotated[int, Ge(1)] | None, frames: Annotated[int, Ge(1)]
    ) -> None:
        self.count, self.every, self.frames = count, every, frames

    def on_train_epoch_end(self, trainer: lightning.Trainer, task: Any) -> None:
        done = trainer.current_epoch + 1
        due = is_due(trainer, done, self.every, self.frames)
        if not due or not trainer.is_global_zero or not hasattr(task, "reconstruct"):
            return
        data: Any = trainer.datamodule  # type: ignore[attr-defined]
        rows = torch.linspace(0, len(data.sets["val"]) - 1, min(self.count, len(data.sets["val"]))).long()
        images = data.normalise(data.sets["val"][rows][0].to(task.device))
        with looking(task):
            pictures = interleave(task.as_pictures(images), task.reconstruct(images), columns=COLUMNS)
        frame(pictures, COLUMNS).save(frame_path(self.folder(trainer), done))

    def on_train_end(self, trainer: lightning.Trainer, task: Any) -> None:
        if trainer.is_global_zero:
            animate_folder(self.folder(trainer))

    def folder(self, trainer: lightning.Trainer) -> Path:
        return Path(trainer.default_root_dir) / "figures" / "reconstructions"
