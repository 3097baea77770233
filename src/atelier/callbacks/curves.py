"""A callback that draws the curves of a run when its training ends."""

from pathlib import Path
from typing import Any

import lightning.pytorch as lightning

from atelier.callbacks.watcher import Watcher
from atelier.figures.curves import draw_curves


class Curves(Watcher):
    """Draws `curves.png` from metrics.csv, when training ends or is interrupted."""

    def on_train_end(self, trainer: lightning.Trainer, task: Any) -> None:
        if trainer.is_global_zero:
            draw_curves(Path(trainer.default_root_dir), "step" if task.counts_steps else "epoch")

    def on_exception(self, trainer: lightning.Trainer, task: Any, error: BaseException) -> None:
        self.on_train_end(trainer, task)
