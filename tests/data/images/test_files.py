"""A picture is read as it is looked at: upright, of 8 bits, on white."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from atelier.data.images import load_image

ORIENTATION = 0x0112  # in EXIF


def test_a_picture_is_turned_as_the_camera_was_held(tmp_path: Path) -> None:
    pixels = np.array([[0, 50], [100, 150]], np.uint8)
    exif = Image.Exif()
    exif[ORIENTATION] = 6  # to be turned clockwise
    Image.fromarray(pixels).save(tmp_path / "turned.png", exif=exif)
    assert load_image(tmp_path / "turned.png", (1, 2, 2))[0].tolist() == np.rot90(pixels, -1).tolist()


@pytest.mark.parametrize("ending", ["png", "tif"])
def test_gray_of_16_bits_keeps_its_range(tmp_path: Path, ending: str) -> None:
    pixels = np.array([[0, 257], [128 * 257, 65535]], np.uint16)
    Image.fromarray(pixels).save(tmp_path / f"deep.{ending}")
    assert load_image(tmp_path / f"deep.{ending}", (1, 2, 2))[0].tolist() == [[0, 1], [128, 255]]
    assert load_image(tmp_path / f"deep.{ending}", (3, 2, 2))[2].tolist() == [[0, 1], [128, 255]]


@pytest.mark.parametrize(
    ("pixels", "expected"),
    [
        (np.array([[0, 257], [65535, 70000]], np.int32), [[0, 1], [255, 255]]),
        (np.array([[0, 0.2], [1, 2]], np.float32), [[0, 51], [255, 255]]),
    ],
)
def test_other_numbers_are_scaled_too(tmp_path: Path, pixels: np.ndarray, expected: list[list[int]]) -> None:
    Image.fromarray(pixels).save(tmp_path / "numbers.tif")
    assert load_image(tmp_path / "numbers.tif", (1, 2, 2))[0].tolist() == expected


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P"])
def test_what_is_transparent_is_white(tmp_path: Path, mode: str) -> None:
    image = Image.new("RGBA", (2, 1), (0, 0, 0, 255))
    image.putpixel((1, 0), (0, 0, 0, 0))
    image.convert(mode).save(tmp_path / "clear.png")
    assert load_image(tmp_path / "clear.png", (3, 1, 2))[:, 0].tolist() == [[0, 255]] * 3
