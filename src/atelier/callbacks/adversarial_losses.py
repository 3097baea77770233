"""Draws both losses of a GAN when its training ends."""

from pathlib import Path
from typing import Any

import lightning.pytorch as lightning

from atelier.callbacks.watcher import Watcher
from atelier.figures.losses import draw_losses


class AdversarialLosses(Watcher):
    """Draws `losses.png` from metrics.csv, where a generator and a discriminator were trained."""

    def on_train_end(self, trainer: lightning.Trainer, task: Any) -> None:
        if trainer.is_global_zero:
            draw_losses(Path(trainer.default_root_dir))
