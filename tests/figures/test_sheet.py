"""A sheet of pictures: every channel of every picture is on it, each with its caption."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from atelier.figures.sheet import CELL, draw_sheet


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


LONG = {
    "a mask as a label": str(torch.zeros(32, 32).long().tolist()),
    "a class with a long name": "W" * 400,
    "labels of many tags": str([0, 1] * 40),
    "two long lines": "W" * 400 + "\n" + "W" * 400,
}


@pytest.mark.parametrize("kind", LONG)
def test_captions_of_any_length_are_drawn(tmp_path: Path, kind: str) -> None:
    draw_sheet(torch.ones(2, 1, 8, 8), [LONG[kind], "short"], tmp_path / "two.png", columns=2)
    columns = np.flatnonzero((pixels(tmp_path / "two.png") < 200).any(axis=0))
    assert columns.min() < CELL / 10, "the long one is as wide as its picture"
    assert columns.max() > CELL, "the short one is there"
    assert (np.diff(columns) > 2).any(), "they stand side by side"
