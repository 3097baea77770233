"""A callback that draws images generated from fixed latents during the training."""

from pathlib import Path
from typing import Annotated, Any

import lightning.pytorch as lightning
import torch
from annotated_types import Ge
from torch import Tensor

from atelier.callbacks.frames import animate_folder, frame_path, is_due, lacks, looking
from atelier.callbacks.watcher import Watcher
from atelier.figures.gallery import draw_panels, frame, read

COLUMNS = 5


class LatentPictures(Watcher):
    """Draws `latents/epoch_NNNN.png` before and during the training; at its end, all of them as `latents.gif`, and the
    first, the middle and the last as `latents.png`.

    A resumed run uses the same latents: the task's, which the checkpoint holds, then further ones from a fixed seed.

    Args:
        count: number of latents.
        every: interval in epochs; None spreads `frames` figures over the run.
        frames: approximate number of figures, if `every` is None.
    """

    def __init__(
        self, count: Annotated[int, Ge(1)], every: Annotated[int, Ge(1)] | None, frames: Annotated[int, Ge(1)]
    ) -> None:
        self.count, self.every, self.frames = count, every, frames

    def on_train_start(self, trainer: lightning.Trainer, task: Any) -> None:
        if trainer.global_step == 0:
            self.draw(trainer, task, 0)

    def on_train_epoch_end(self, trainer: lightning.Trainer, task: Any) -> None:
        done = trainer.current_epoch + 1
        if is_due(trainer, done, self.every, self.frames):
            self.draw(trainer, task, done)

    def on_train_end(self, trainer: lightning.Trainer, task: Any) -> None:
        if not trainer.is_global_zero:
            return
        folder, done = self.folder(trainer), trainer.current_epoch
        if lacks(folder, done):
            self.draw(trainer, task, done)
        animate_folder(folder)
        files = {int(file.stem[6:]): file for file in sorted(folder.glob("epoch_*.png"))}
        if not files:
            return
        last = max(files)
        half = min(files, key=lambda epoch: abs(epoch - last / 2))
        panels = [(f"epoch {epoch}", read(files[epoch])) for epoch in dict.fromkeys((min(files), half, last))]
        draw_panels(panels, folder.with_suffix(".png"), columns=len(panels), title="made of the same latents")

    def draw(self, trainer: lightning.Trainer, task: Any, done: int) -> None:
        if not trainer.is_global_zero or not hasattr(task, "pictures"):
            return
        with looking(task):
            pictures = task.pictures(self.latents(task))
        if pictures.dim() == 4:
            frame(pictures, COLUMNS).save(frame_path(self.folder(trainer), done))

    def latents(self, task: Any) -> Tensor:
        """The first `count` of the task's latents; where it has fewer, further ones behind them."""
        more = self.count - len(task.latents)
        if more <= 0:
            return task.latents[: self.count]
        return torch.cat([task.latents, task.draw_latents(more, seed=0).to(task.latents)])

    def folder(self, trainer: lightning.Trainer) -> Path:
        return Path(trainer.default_root_dir) / "figures" / "latents"
