"""A callback that draws the test images with the smallest and the largest errors."""

from pathlib import Path
from typing import Annotated, Any

import lightning.pytorch as lightning
import torch
from annotated_types import Ge
from torch import Tensor

from atelier.callbacks.evaluated import tested_set
from atelier.callbacks.watcher import Watcher
from atelier.figures.sheet import draw_sheet


class Extremes(Watcher):
    """Draws `best_and_worst.png` for tasks whose `test_step` returns `error` (N,), and labels `predicted` and `true`.

    With several processes, it shows images of rank 0 only.

    Args:
        count: number of best and of worst images; a smaller test set is divided in half.
    """

    def __init__(self, count: Annotated[int, Ge(1)]) -> None:
        self.count = count
        self.seen: list[tuple[Tensor, ...]] = []

    def on_test_batch_end(
        self,
        trainer: lightning.Trainer,
        task: Any,
        outputs: Any,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        if not trainer.is_global_zero or not isinstance(outputs, dict) or "error" not in outputs:
            return
        data: Any = trainer.datamodule  # type: ignore[attr-defined]
        if hasattr(data, "picture") and (images := data.picture(batch[0])).dim() == 4:
            found = (outputs["error"], images, outputs["predicted"], outputs["true"])
            self.seen = [self.keep(*(part.cpu() for part in found))]

    def keep(self, *found: Tensor) -> tuple[Tensor, ...]:
        """The samples with the smallest and the largest errors so far, in order of error."""
        everything = [torch.cat(parts) for parts in zip(*self.seen, found, strict=True)]
        order = everything[0].argsort(stable=True)
        if len(order) > 2 * self.count:
            order = torch.cat([order[: self.count], order[-self.count :]])
        return tuple(part[order] for part in everything)

    def on_test_end(self, trainer: lightning.Trainer, task: Any) -> None:
        if not self.seen:
            return
        (error, images, predicted, true), self.seen = self.seen[0], []
        captions = [
            f"{was} read as {said}" if was != said else f"{was}"
            for was, said in zip(task.captions(true), task.captions(predicted), strict=True)
        ]
        worst = len(error) // 2
        best = len(error) - worst
        colors = ["black"] * best + ["#b2182b"] * worst
        part = f", of one in {trainer.world_size}" if trainer.world_size > 1 else ""
        title = f"best {best} and worst {worst} of the {tested_set(trainer)} pictures{part}"
        path = Path(trainer.default_root_dir) / "figures" / "best_and_worst.png"
        draw_sheet(images, captions, path, columns=6, title=title, colors=colors)
