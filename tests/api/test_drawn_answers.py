"""The pictures with the answers of predict.py."""

from pathlib import Path

import pytest
import torch

from atelier.api.answers import draw_answers


@pytest.mark.parametrize(
    "names",
    [
        ["x/a.png", "y/a.png", "a_1.png"],
        ["a_1.png", "a.png", "A.png"],
        ["A.png", "a.png"],
        ["a_2.png", "a.png", "A.png"],
    ],
    ids=" ".join,
)
def test_each_file_has_its_own_picture(tmp_path: Path, names: list[str]) -> None:
    images = torch.zeros(len(names), 1, 4, 4, dtype=torch.uint8)
    draw_answers([Path(name) for name in names], images, [{"class": "x"}] * len(names), tmp_path)
    assert len({path.name.lower() for path in tmp_path.iterdir()}) == len(names)
