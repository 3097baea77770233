"""A callback that draws the figures of `src/sample.py`, such as interpolations, after the test of a GAN or VAE."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import lightning.pytorch as lightning

from atelier.arguments import Seed
from atelier.callbacks.frames import looking
from atelier.callbacks.watcher import Watcher
from atelier.errors import InputError
from atelier.figures.made import Kind, Sampler, draw, makes_pictures, unfit


class MadePictures(Watcher):
    """Draws figures after testing a generative task, each with its numbers in a JSON file.

    Args:
        kinds: kinds of figures: grid, interpolation, neighbours, plane, reconstructions, walk.
        seed: seed of the latents.
    """

    def __init__(self, kinds: Sequence[Kind], seed: Seed) -> None:
        self.kinds, self.seed = kinds, seed

    def on_fit_start(self, trainer: lightning.Trainer, task: Any) -> None:
        self.check(task)

    def on_test_start(self, trainer: lightning.Trainer, task: Any) -> None:
        self.check(task)

    def check(self, task: Any) -> None:
        """
        Raises:
            InputError: if the task has no figure of one of the kinds.
        """
        with looking(task):
            for kind in self.kinds if draws(task) else ():
                if told := unfit(kind, task):
                    raise InputError(f"callbacks.made_pictures.kinds: {kind}: {told}")

    def on_test_end(self, trainer: lightning.Trainer, task: Any) -> None:
        if not trainer.is_global_zero:
            return
        folder = Path(trainer.default_root_dir) / "figures"
        data = trainer.datamodule  # type: ignore[attr-defined]
        with looking(task):
            for kind in self.kinds if draws(task) else ():
                draw(kind, Sampler(task, data, None, self.seed, folder / f"{kind}.png"))


def draws(task: Any) -> bool:
    """Whether a task makes pictures: one that is not generative does not, nor one of other data."""
    return hasattr(task, "pictures") and makes_pictures(task)
