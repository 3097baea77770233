"""The figures of reconstructions: which images are on them, each above its own reconstruction of that epoch."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image, ImageSequence
from torch import Tensor
from torch.utils.data import TensorDataset

from atelier.callbacks.reconstructions import COLUMNS, Reconstructions
from atelier.figures.gallery import GAP
from atelier.figures.tiles import GAP as BETWEEN

SIDE = 56  # pixels, for which nothing is enlarged
STEP = SIDE + GAP + BETWEEN
IMAGES = 19
EPOCHS = 4


def level(row: int) -> int:
    """The grey of a stored image, by which it is told from the others."""
    return 10 * row + 64


class Halving:
    """The parts of a task that the callback uses; after epoch n it reconstructs an image with 1/2ⁿ of its grey."""

    device, steps_per_epoch, done, evaluates = torch.device("cpu"), 1, 0, False

    @contextmanager
    def evaluating(self) -> Iterator[None]:
        self.evaluates = True
        yield
        self.evaluates = False

    def as_pictures(self, images: Tensor) -> Tensor:
        return images / 2 + 0.5

    def reconstruct(self, images: Tensor) -> Tensor:
        assert self.evaluates
        assert not torch.is_grad_enabled()
        return self.as_pictures(images) / 2**self.done


def train(callback: Reconstructions, folder: Path, task: Any) -> Path:
    """Train for `EPOCHS` epochs; return the folder of the figures."""
    (folder / "figures").mkdir()
    grey = torch.tensor([level(row) for row in range(IMAGES)], dtype=torch.uint8)
    images = grey[:, None, None, None].expand(-1, 1, SIDE, SIDE)
    others = TensorDataset(torch.full_like(images, 255), torch.zeros(IMAGES))
    sets = {"train": others, "val": TensorDataset(images, torch.zeros(IMAGES)), "test": others}
    data = SimpleNamespace(sets=sets, normalise=lambda stored: stored / 255 * 2 - 1)
    trainer: Any = SimpleNamespace(
        **{"is_global_zero": True, "default_root_dir": str(folder), "datamodule": data, "lightning_module": task},
        estimated_stepping_batches=EPOCHS,
    )
    for epoch in range(EPOCHS):
        trainer.current_epoch, task.done = epoch, epoch + 1
        callback.on_train_epoch_end(trainer, task)
    trainer.current_epoch = EPOCHS  # as Lightning counts at the end
    callback.on_train_end(trainer, task)
    return folder / "figures"


def greys(image: Image.Image) -> list[list[int]]:
    """The grey in the middle of each place of a figure, row by row."""
    drawn = np.asarray(image.convert("L"))
    assert (drawn.shape[0] + GAP + BETWEEN) % STEP == 0
    return drawn[SIDE // 2 :: STEP, SIDE // 2 :: STEP].tolist()


@pytest.mark.parametrize(
    ("count", "rows"),
    [(1, [0]), (3, [0, 9, 18]), (10, [*range(0, 19, 2)]), (24, [*range(19)])],
    ids=str,
)
def test_each_image_from_the_first_to_the_last_stands_above_its_reconstruction(
    tmp_path: Path, count: int, rows: list[int]
) -> None:
    figures = train(Reconstructions(count, every=2, frames=1), tmp_path, Halving())
    assert sorted(file.name for file in (figures / "reconstructions").iterdir()) == ["epoch_0002.png", "epoch_0004.png"]
    for epoch in (2, 4):
        expected: list[list[int]] = []
        for start in range(0, len(rows), COLUMNS):
            upper = [level(row) for row in rows[start : start + COLUMNS]]
            empty = [255] * (COLUMNS - len(upper))
            expected += [upper + empty, [round(grey / 2**epoch) for grey in upper] + empty]
        with Image.open(figures / "reconstructions" / f"epoch_{epoch:04d}.png") as image:
            assert np.array(greys(image)) == pytest.approx(np.array(expected), abs=1), "of the validation set"


def test_the_animation_has_the_epochs_in_order(tmp_path: Path) -> None:
    figures = train(Reconstructions(1, every=1, frames=1), tmp_path, Halving())
    with Image.open(figures / "reconstructions.gif") as animation:
        first = [greys(image)[1][0] for image in ImageSequence.Iterator(animation)]
    assert first == pytest.approx([level(0) / 2**done for done in range(1, EPOCHS + 1)], abs=1)


def test_a_task_that_reconstructs_nothing_has_no_figure(tmp_path: Path) -> None:
    task = SimpleNamespace(device=torch.device("cpu"), steps_per_epoch=1)
    figures = train(Reconstructions(3, every=1, frames=1), tmp_path, task)
    assert not list(figures.iterdir())
