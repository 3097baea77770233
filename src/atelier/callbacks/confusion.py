"""A callback that draws the confusion matrix of a classifier and writes its counts."""

from pathlib import Path
from typing import Any

import lightning.pytorch as lightning
from torch import Tensor

from atelier.callbacks.watcher import Watcher
from atelier.figures.confusion import draw_confusion
from atelier.figures.numbers import write_numbers


class Confusion(Watcher):
    """Draws `confusion.png` and writes `confusion.csv` after testing a task that has a metric `test_confusion`.

    The figure shows shares of each true class, the file numbers of samples. Samples without a predicted class are in a
    last column, if there are any.
    """

    def __init__(self) -> None:
        self.counts: Tensor | None = None  # (C, C) or (C, C + 1): true, predicted

    def on_test_epoch_end(self, trainer: lightning.Trainer, task: Any) -> None:
        if hasattr(task, "test_confusion"):
            counts = task.test_confusion.compute().cpu()  # collective: called on all ranks
            self.counts = counts if counts[:, -1].any() else counts[:, :-1]

    def on_test_end(self, trainer: lightning.Trainer, task: Any) -> None:
        if self.counts is None or not trainer.is_global_zero:
            return
        names = task.captions(range_of(self.counts))
        path = Path(trainer.default_root_dir) / "figures" / "confusion.png"
        said = [*names, "no class"][: self.counts.shape[1]]
        rows = [[name, *row] for name, row in zip(names, self.counts.tolist(), strict=True)]
        write_numbers(path.with_suffix(".csv"), ["true, predicted as:", *said], rows)
        draw_confusion(self.counts, said, path)


def range_of(counts: Tensor) -> Tensor:
    """The class numbers 0, 1, … (C,)."""
    return counts.new_ones(len(counts)).cumsum(0) - 1
