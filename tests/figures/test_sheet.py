"""A sheet of pictures: every channel of every picture is on it, each with its caption."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from atelier.figures.sheet import draw_sheet


def pixels(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        return np.asarray(image.convert("L")).astype(int)


def test_two_channels_stand_side_by_side(tmp_path: Path) -> None:
    pair = torch.stack([torch.full((8, 8), 0.2), torch.full((8, 8), 0.6)])
    draw_sheet(pair[None], [""], tmp_path / "pair.png", columns=1)
    row = pixels(tmp_path / "pair.png")
    row = row[len(row) // 3]
    dark, light = np.flatnonzero(row == 51), np.flatnonzero(row == 153)  # 0.2 and 0.6 of 255
    assert len(dark) == pytest.approx(len(light), abs=3)
    assert len(dark) > 50
    assert dark.max() < light.min()


@pytest.mark.parametrize("sides", [(8, 8), (4, 8), (12, 6)], ids=str)
def test_a_caption_stands_below_its_picture(tmp_path: Path, sides: tuple[int, int]) -> None:
    draw_sheet(torch.full((1, 1, *sides), 0.4), ["xxxx"], tmp_path / "one.png", columns=1)
    drawn = pixels(tmp_path / "one.png")
    picture = np.flatnonzero((drawn == 102).mean(axis=1) > 0.5)  # rows; a letter's edge may have that gray, too
    letters = np.flatnonzero((drawn < 60).any(axis=1))
    assert letters.min() > picture.max()
    assert letters.max() - letters.min() + 1 >= 8, "an x of 10 points is 9 pixels high here: none of it is covered"


def test_wide_captions_are_small_enough_to_stand_side_by_side(tmp_path: Path) -> None:
    draw_sheet(torch.ones(2, 1, 8, 8), ["W" * 60] * 2, tmp_path / "two.png", columns=2)
    columns = np.flatnonzero((pixels(tmp_path / "two.png") < 200).any(axis=0))
    assert (np.diff(columns) > 2).any()
