"""A callback that draws the misclassified test images with the highest confidence (IFT6135 report, figure 7)."""

from pathlib import Path
from typing import Annotated, Any

import lightning.pytorch as lightning
import torch
from annotated_types import Ge
from torch import Tensor

from atelier.callbacks.evaluated import are_pictures, from_all, logits_of, rows_of, stored
from atelier.callbacks.watcher import Watcher
from atelier.figures.numbers import write_numbers
from atelier.figures.sheet import draw_sheet


class Mistakes(Watcher):
    """Draws `mistakes.png` and writes `mistakes.csv` after testing a classifier of images.

    The column `sample` is the index in the tested set, from 0. Without misclassified images, nothing is written, nor of
    a task whose outputs are not `confident`. An image with logits of which no softmax can be taken is left out.

    Args:
        count: maximum number of images, in order of falling confidence.
    """

    def __init__(self, count: Annotated[int, Ge(1)]) -> None:
        self.count = count
        self.found: Tensor | None = None  # (count, 4): confidence (−1: empty row), sample, true, predicted class

    def on_test_batch_end(
        self,
        trainer: lightning.Trainer,
        task: Any,
        outputs: Any,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        known = logits_of(outputs)
        if known is None or not are_pictures(batch[0]) or not getattr(task, "confident", True):
            return
        logits, classes = known
        confidence, predicted = logits.softmax(1).max(1)
        confidence = confidence.masked_fill((predicted == classes) | confidence.isnan(), -1)
        rows = rows_of(trainer, batch_idx, len(classes)).to(classes.device)
        new = torch.stack([confidence, rows, classes, predicted], 1)
        before = new.new_full((self.count, 4), -1) if self.found is None else self.found
        self.found = self.surest(torch.cat([before, new]))

    def surest(self, found: Tensor) -> Tensor:
        return found[found[:, 0].argsort(descending=True, stable=True)[: self.count]]

    def on_test_epoch_end(self, trainer: lightning.Trainer, task: Any) -> None:
        if self.found is not None:
            self.found = self.surest(from_all(trainer, self.found).flatten(0, 1))

    def on_test_end(self, trainer: lightning.Trainer, task: Any) -> None:
        if self.found is None or not trainer.is_global_zero:
            return
        found, self.found = self.found[self.found[:, 0] >= 0].cpu(), None
        if not len(found):
            return
        confidence, rows, true, predicted = found[:, 0].tolist(), *found[:, 1:].long().unbind(1)
        names, said = task.captions(true), task.captions(predicted)
        path = Path(trainer.default_root_dir) / "figures" / "mistakes.png"
        columns = ["sample", "true", "predicted", "confidence"]
        write_numbers(path.with_suffix(".csv"), columns, zip(rows.tolist(), names, said, confidence, strict=True))
        captions = [f"{was}\nas {told}" for was, told in zip(names, said, strict=True)]
        sure = " to ".join(dict.fromkeys(f"{100 * confidence[index]:.1f} %" for index in (0, -1)))
        title = f"the {len(found)} surest mistakes, confidence {sure}: true and predicted class"
        draw_sheet(stored(trainer, rows) / 255, captions, path, columns=6, title=title, font=12)
