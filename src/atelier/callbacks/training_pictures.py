"""A callback that draws training images with their labels at the start of a run."""

from pathlib import Path
from typing import Annotated, Any

import lightning.pytorch as lightning
import torch
from annotated_types import Ge

from atelier.callbacks.watcher import Watcher
from atelier.figures.sheet import draw_sheet


class TrainingPictures(Watcher):
    """Draws `training_pictures.png`: training images as stored, before augmentation.

    Args:
        count: number of images.
    """

    def __init__(self, count: Annotated[int, Ge(1)]) -> None:
        self.count = count

    def on_fit_start(self, trainer: lightning.Trainer, task: Any) -> None:
        if not trainer.is_global_zero:
            return
        data = trainer.datamodule.sets["train"]  # type: ignore[attr-defined]
        rows = torch.linspace(0, len(data) - 1, min(self.count, len(data))).long()
        images, labels = data[rows]
        if images.dim() != 4:
            return  # sequences and points are not drawn
        path = Path(trainer.default_root_dir) / "figures" / "training_pictures.png"
        draw_sheet(images / 255, task.captions(labels), path, title="training pictures")
