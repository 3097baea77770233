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
    picture, letters = (np.flatnonzero(found.any(axis=1)) for found in (drawn == 102, drawn < 60))
    assert letters.min() > picture.max()
    assert letters.max() - letters.min() + 1 >= 6, "an x of 8 points is 7 pixels high here: none of it is covered"
