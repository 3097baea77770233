"""Filters as grids: every weight in its place."""

from collections.abc import Callable
from typing import Any

import pytest
import torch

from atelier.callbacks.filters import grid
from atelier.figures.tiles import tiles

Run = Callable[..., Any]


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
