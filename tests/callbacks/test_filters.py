"""Filters as grids: every weight in its place."""

import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import lightning.pytorch as lightning
import pytest
import torch
from torch import Tensor, nn
from torch.optim import SGD
from torch.utils.data import DataLoader

from atelier.callbacks import filters
from atelier.callbacks.filters import Filters, draw, grid
from atelier.figures.tiles import tiles
from atelier.tasks.schedule import Schedule
from atelier.tasks.task import Task

Run = Callable[..., Any]


class Small(Task):
    def training_step(self, images: Tensor, index: int) -> Tensor:
        return self.network(images).square().mean()


def test_tiles_stand_row_by_row_with_a_gap_between() -> None:
    images = torch.arange(5 * 3 * 2 * 4, dtype=torch.float32).view(5, 3, 2, 4)
    found = tiles(images, columns=3)
    assert found.shape == (2 + 1 + 2, 4 + 1 + 4 + 1 + 4, 3)
    for index, image in enumerate(images):
        top, left = index // 3 * 3, index % 3 * 5
        for y in range(2):
            for x in range(4):
                assert found[top + y, left + x].tolist() == image[:, y, x].tolist()
    assert found[2].isnan().all()
    assert found[:, 4].isnan().all()
    assert found[3:, 10:].isnan().all(), "the sixth place is empty"


@pytest.mark.parametrize("channels", [1, 3])
def test_filters_on_pictures_are_pictures(channels: int) -> None:
    weights = torch.randn(10, channels, 3, 3)
    values, words = grid(weights, count=9)
    assert values.shape == (2 * 3 + 1, 8 * 3 + 7, channels)
    assert torch.equal(values[4:, :3], weights[8].permute(1, 2, 0))
    assert words == "9 of 10 filters"


def test_deeper_filters_are_rows_of_their_input_channels() -> None:
    weights = torch.randn(20, 5, 3, 3)
    values, words = grid(weights, count=64)
    assert values.shape == (16 * 3 + 15, 5 * 3 + 4, 1)
    assert torch.equal(values[8:11, 12:15, 0], weights[2, 3])
    assert words == "rows: 16 of 20 filters, columns: 5 of 5 input channels"


@pytest.mark.parametrize("channels", [1, 3])
def test_zero_is_in_the_middle_of_the_shades(channels: int, monkeypatch: pytest.MonkeyPatch) -> None:
    figures: list[Any] = []
    monkeypatch.setattr(filters, "write_png", lambda figure, path: figures.append(figure))
    weights = torch.tensor([-2.0, 0.0, 1.0]).repeat(channels, 3).view(1, channels, 3, 3)
    draw("features.0", weights, 64, Path("none.png"))
    (image,) = figures[0].axes[0].images
    shades = image.get_array() if channels == 3 else image.norm(image.get_array())[..., None]
    assert shades[0].tolist() == [[0.0] * channels, [0.5] * channels, [0.75] * channels]


@pytest.mark.parametrize("average", [None, 0.5])
def test_when_training_ends_the_weights_that_the_run_keeps_are_drawn(
    average: float | None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """With an average, the picture had the raw weights, and the checkpoint beside it others."""
    drawn: list[Tensor] = []
    monkeypatch.setattr("atelier.callbacks.filters.draw", lambda name, weights, *rest: drawn.append(weights.clone()))
    network = nn.Sequential(nn.Conv2d(1, 2, 3))
    task = Small(network, partial(SGD, lr=0.1), Schedule(None), "val/loss", "min", average=average)
    quiet: dict[str, Any] = {"enable_progress_bar": False, "enable_model_summary": False, "logger": False}
    filters = Filters([0], count=64)
    trainer = lightning.Trainer(
        accelerator="cpu", max_epochs=1, default_root_dir=tmp_path, callbacks=[filters], **quiet
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about workers, which are the run's affair
        trainer.fit(task, DataLoader([torch.rand(1, 5, 5) for _ in range(4)], batch_size=1))
    trainer.save_checkpoint(tmp_path / "last.ckpt")
    kept = torch.load(tmp_path / "last.ckpt", weights_only=True)
    assert torch.equal(drawn[0], kept["state_dict"]["network.0.weight"])
    assert ("raw_weights" in kept) == (average is not None)


def test_the_first_and_the_last_convolution_are_drawn(trained_digits: Any) -> None:
    drawn = sorted(file.name for file in (trained_digits.folder / "figures").glob("filters_*"))
    assert drawn == ["filters_features.0.png", "filters_features.3.png"]


def test_a_network_without_convolutions_is_told_before_the_training(run_verb: Run) -> None:
    outcome = run_verb("train", "trainer=cpu", "callbacks=filters")
    assert outcome.code == 2
    assert outcome.err == "callbacks.filters: the network MLP has no convolutions; choose another\n"


def test_a_layer_that_is_not_there_is_told(run_verb: Run) -> None:
    outcome = run_verb("train", "trainer=cpu", "network=lenet5", "callbacks=filters", "callbacks.filters.layers=[2]")
    assert outcome.code == 2
    assert outcome.err == "callbacks.filters.layers=2: the network has 2 convolutions; give 0 to 1, or -1\n"
