"""After which epochs a figure is due, in trainings of a number of epochs, of steps, or of neither; and their GIF."""

from pathlib import Path
from typing import Any

import lightning.pytorch as lightning
import pytest
import torch
from lightning.pytorch.demos.boring_classes import BoringModel
from PIL import Image, ImageSequence

from atelier.callbacks.frames import animate_folder, frame_path, is_due
from atelier.runs.terminal import quieten_lightning

BATCHES = 10  # of an epoch


class Noting(lightning.Callback):
    """Notes the number of finished epochs after each epoch that is due a figure."""

    def __init__(self, every: int | None, frames: int) -> None:
        self.every, self.frames = every, frames
        self.due: list[int] = []

    def on_train_epoch_end(self, trainer: lightning.Trainer, task: Any) -> None:
        if is_due(trainer, done := trainer.current_epoch + 1, self.every, self.frames):
            self.due.append(done)


class Trained(BoringModel):  # type: ignore[misc]
    steps_per_epoch = BATCHES

    def train_dataloader(self) -> Any:
        return torch.utils.data.DataLoader(torch.zeros(BATCHES, 32))


@pytest.mark.parametrize(
    ("limits", "every", "frames", "due"),
    [
        ({"max_epochs": 8}, None, 2, [4, 8]),
        ({"max_epochs": 5}, 3, 2, [2, 3, 5]),
        ({"max_epochs": -1, "max_steps": 8 * BATCHES}, None, 2, [4, 8]),
        ({"max_epochs": -1, "max_steps": 7 * BATCHES + 1}, None, 2, [4, 8]),
        ({"max_epochs": 100, "max_steps": 8 * BATCHES}, None, 2, [4, 8]),
    ],
)
def test_figures_are_spread_over_the_training(
    limits: dict[str, int], every: int | None, frames: int, due: list[int]
) -> None:
    quieten_lightning()
    noting = Noting(every, frames)
    off = ("logger", "enable_progress_bar", "enable_model_summary", "enable_checkpointing")
    trainer = lightning.Trainer(
        accelerator="cpu", callbacks=[noting], limit_val_batches=0, **limits, **dict.fromkeys(off, False)
    )
    trainer.fit(Trained())
    assert noting.due == due


@pytest.mark.parametrize("epochs", [[1, 2, 10], [999, 1000, 9999, 10000], [9999, 99999, 100000]], ids=str)
def test_the_frames_of_a_gif_are_in_the_order_of_their_epochs(tmp_path: Path, epochs: list[int]) -> None:
    for shade, epoch in enumerate(epochs):
        Image.new("L", (8, 8), 60 * shade).save(frame_path(tmp_path / "made", epoch))
    animate_folder(tmp_path / "made")
    with Image.open(tmp_path / "made.gif") as gif:
        shades = [frame.convert("L").getpixel((0, 0)) for frame in ImageSequence.Iterator(gif)]
    assert shades == sorted(shades)
    assert len(set(shades)) == len(epochs)
