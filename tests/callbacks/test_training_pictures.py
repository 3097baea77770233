"""The sheet of training images: which images are on it, in which order, and what is written below them."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw
from torch import Tensor
from torch.utils.data import TensorDataset

from atelier.callbacks.training_pictures import TrainingPictures
from atelier.figures.sheet import CELL

COLUMNS = 5


def level(row: int) -> int:
    """The grey of a stored image, by which it is told from the others."""
    return 10 * (row + 1)


def a_trainer(folder: Path, stored: Tensor) -> Any:
    (folder / "figures").mkdir()
    sets = {"train": TensorDataset(stored, torch.arange(len(stored)))}
    return SimpleNamespace(is_global_zero=True, default_root_dir=str(folder), datamodule=SimpleNamespace(sets=sets))


def named(labels: Tensor) -> list[str]:
    return [f"label {label}" for label in labels.tolist()]


@pytest.mark.parametrize(
    ("count", "rows"),
    [(1, [0]), (3, [0, 10, 20]), (6, [0, 4, 8, 12, 16, 20]), (11, [*range(0, 21, 2)]), (25, [*range(21)])],
    ids=str,
)
def test_images_from_the_first_to_the_last_stand_in_order_above_their_labels(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, count: int, rows: list[int]
) -> None:
    written: list[tuple[tuple[float, float], str]] = []
    draw: Any = ImageDraw.ImageDraw.multiline_text

    def noted(self: Any, place: tuple[float, float], text: str, *args: Any, **options: Any) -> None:
        written.append((place, text))
        draw(self, place, text, *args, **options)

    monkeypatch.setattr(ImageDraw.ImageDraw, "multiline_text", noted)
    grey = torch.tensor([level(row) for row in range(21)], dtype=torch.uint8)
    trainer = a_trainer(tmp_path, grey[:, None, None, None].expand(-1, 1, 8, 8))
    TrainingPictures(count).on_fit_start(trainer, SimpleNamespace(captions=named))
    with Image.open(tmp_path / "figures" / "training_pictures.png") as image:
        drawn = np.asarray(image.convert("L"))
    (_, title), *captions = written
    assert title.replace("\n", " ") == "training pictures"
    assert [text for _, text in captions] == [f"label {row}" for row in rows]
    for index, (row, ((x, y), _)) in enumerate(zip(rows, captions, strict=True)):
        assert x == (index % COLUMNS + 0.5) * CELL
        above = drawn[round(y) - CELL // 2, round(x) - CELL // 4 : round(x) + CELL // 4]
        assert set(above.tolist()) == {level(row)}, "as stored: no value is changed"
    lines = [captions[start : start + COLUMNS] for start in range(0, len(captions), COLUMNS)]
    heights = [{y for (_, y), _ in line} for line in lines]
    assert all(len(same) == 1 for same in heights)
    assert sorted(heights, key=min) == heights, "one row of images below the other"


@pytest.mark.parametrize("shape", [(2,), (5, 3)], ids=str)
def test_points_and_sequences_are_not_drawn(tmp_path: Path, shape: tuple[int, ...]) -> None:
    TrainingPictures(4).on_fit_start(a_trainer(tmp_path, torch.zeros(9, *shape)), SimpleNamespace(captions=named))
    assert not list((tmp_path / "figures").iterdir())
