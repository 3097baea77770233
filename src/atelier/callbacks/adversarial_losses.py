"""A callback that draws the losses of a GAN when its training ends."""

from pathlib import Path
from typing import Any

import lightning.pytorch as lightning

from atelier.callbacks.watcher import Watcher
from atelier.figures.losses import draw_losses


class AdversarialLosses(Watcher):
    """Draws `losses.png`, the losses of generator and discriminator, from metrics.csv."""

    def on_train_end(self, trainer: lightning.Trainer, task: Any) -> None:
        if trainer.is_global_zero:
            draw_losses(Path(trainer.default_root_dir), "step" if task.counts_steps else "epoch")
