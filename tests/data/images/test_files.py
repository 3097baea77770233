"""A picture is read as it is looked at: upright, of 8 bits, on white; and kept in a file of its own."""

import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from atelier.data.reading import UnknownRange, UnreadableImage, aspect, load_image, open_image

ORIENTATION = 0x0112  # in EXIF


def test_a_picture_is_turned_as_the_camera_was_held(tmp_path: Path) -> None:
    pixels = np.array([[0, 50], [100, 150]], np.uint8)
    exif = Image.Exif()
    exif[ORIENTATION] = 6  # to be turned clockwise
    Image.fromarray(pixels).save(tmp_path / "turned.png", exif=exif)
    assert load_image(tmp_path / "turned.png", (1, 2, 2))[0].tolist() == np.rot90(pixels, -1).tolist()


@pytest.mark.parametrize("orientation", range(1, 9))
def test_width_and_height_are_those_of_the_turned_picture(tmp_path: Path, orientation: int) -> None:
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    Image.new("L", (30, 10)).save(tmp_path / "picture.png", exif=exif)
    turned = open_image(tmp_path / "picture.png")
    assert aspect(tmp_path / "picture.png") == turned.width / turned.height


def test_a_picture_is_padded_with_the_colour_of_most_of_its_edge(tmp_path: Path) -> None:
    pixels = np.zeros((30, 10), np.uint8)
    pixels[1:-1, [0, -1]] = 200  # along its longer sides
    Image.fromarray(pixels).save(tmp_path / "high.png")
    padded = load_image(tmp_path / "high.png", (1, 30, 30), "pad")[0]
    assert padded[:, [0, 9, 20, 29]].unique().tolist() == [200]


@pytest.mark.parametrize("ending", ["png", "tif"])
def test_gray_of_16_bits_keeps_its_range(tmp_path: Path, ending: str) -> None:
    pixels = np.array([[0, 257], [128 * 257, 65535]], np.uint16)
    Image.fromarray(pixels).save(tmp_path / f"deep.{ending}")
    assert load_image(tmp_path / f"deep.{ending}", (1, 2, 2))[0].tolist() == [[0, 1], [128, 255]]
    assert load_image(tmp_path / f"deep.{ending}", (3, 2, 2))[2].tolist() == [[0, 1], [128, 255]]


@pytest.mark.parametrize(
    ("pixels", "expected"),
    [
        (np.array([[0, 257], [65535, 5000]], np.int32), [[0, 1], [255, 19]]),
        (np.array([[0, 0.2], [1, 0.5]], np.float32), [[0, 51], [255, 128]]),
    ],
)
def test_other_numbers_are_scaled_too(tmp_path: Path, pixels: np.ndarray, expected: list[list[int]]) -> None:
    Image.fromarray(pixels).save(tmp_path / "numbers.tif")
    assert load_image(tmp_path / "numbers.tif", (1, 2, 2))[0].tolist() == expected


DOUBTFUL = {
    "floats to 255": (np.array([[3, 20], [100, 251]], np.float32), 255, [[3, 20], [100, 251]]),
    "floats a little beyond 1": (np.array([[0, 0.2], [1, 2]], np.float32), 2, [[0, 26], [128, 255]]),
    "8 bits in 16": (np.array([[3, 20], [100, 251]], np.uint16), 255, [[3, 20], [100, 251]]),
    "12 bits in 16": (np.array([[0, 257], [2048, 4095]], np.uint16), 4095, [[0, 16], [128, 255]]),
    "more than 16 bits": (np.array([[0, 257], [65535, 70000]], np.int32), 70000, [[0, 1], [239, 255]]),
    "floats below 0": (np.array([[-1, 0], [0.5, 1]], np.float32), 1, [[0, 0], [128, 255]]),
}


@pytest.mark.parametrize("name", DOUBTFUL)
def test_a_range_that_is_not_certain_is_asked_for(tmp_path: Path, name: str) -> None:
    pixels, white, expected = DOUBTFUL[name]
    Image.fromarray(pixels).save(tmp_path / "numbers.tif")
    with pytest.raises(UnknownRange, match=rf"{pixels.min():g} to {pixels.max():g}, which do not .* data.white=255"):
        load_image(tmp_path / "numbers.tif", (1, 2, 2))
    assert load_image(tmp_path / "numbers.tif", (1, 2, 2), white=white)[0].tolist() == expected


def write_deep(path: Path, pixels: np.ndarray) -> None:
    """A PNG file of 16 bits with pixels (H, W, C), of 2 channels gray and opacity, of 3 colours."""
    height, width, channels = pixels.shape
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in pixels)
    header = struct.pack(">IIBBBBB", width, height, 16, {2: 4, 3: 2}[channels], 0, 0, 0)
    with path.open("wb") as file:
        file.write(b"\x89PNG\r\n\x1a\n")
        for name, content in ((b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b"")):
            file.write(struct.pack(">I", len(content)) + name + content)
            file.write(struct.pack(">I", zlib.crc32(name + content)))


@pytest.mark.parametrize("channels", [2, 3])
@pytest.mark.parametrize(
    ("value", "white", "read"),
    [
        (65535, None, 255),
        (5000, None, 19),
        (4095, None, None),
        (4095, 4095, None),
        (4095, 65535, 15),
        (9000, 255, None),
    ],
)
def test_white_of_colours_of_16_bits_is_not_guessed(
    tmp_path: Path, channels: int, value: int, white: float | None, read: int | None
) -> None:
    pixels = np.full((2, 2, channels), value, np.uint16)
    if channels == 2:
        pixels[..., 1] = 65535  # opaque
    write_deep(tmp_path / "deep.png", pixels)
    if read is not None:
        assert load_image(tmp_path / "deep.png", (3, 2, 2), white=white).unique().tolist() == [read]
        return
    with pytest.raises(UnknownRange, match=r"^its colours have 16 bits, .* about \d+: .* data\.white=65535$"):
        load_image(tmp_path / "deep.png", (3, 2, 2), white=white)


@pytest.mark.parametrize("white", [None, 255])
def test_16_bits_for_all_channels_of_a_pixel_are_others(tmp_path: Path, white: float | None) -> None:
    """A bitmap of 5, 6 and 5 bits; here dark, of two pixels."""
    header = struct.pack("<2sIHHI", b"BM", 70, 0, 0, 66)
    about = struct.pack("<IiiHHIIiiII", 40, 2, 1, 1, 16, 3, 4, 0, 0, 0, 0)
    masks, pixels = struct.pack("<III", 0xF800, 0x07E0, 0x001F), struct.pack("<HH", 0x0000, 0x0841)
    (tmp_path / "dark.bmp").write_bytes(header + about + masks + pixels)
    assert load_image(tmp_path / "dark.bmp", (3, 1, 2), white=white).max() < 16


@pytest.mark.parametrize("number", [np.nan, np.inf])
@pytest.mark.parametrize("white", [None, 1])
def test_pixels_that_are_no_numbers_are_told(tmp_path: Path, number: float, white: float | None) -> None:
    Image.fromarray(np.array([[0, 0.5], [1, number]], np.float32)).save(tmp_path / "numbers.tif")
    with pytest.raises(UnreadableImage, match="it has pixels that are no numbers"):
        load_image(tmp_path / "numbers.tif", (1, 2, 2), white=white)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize(
    ("mode", "clear"), [("LAB", (255, 128, 128)), ("CMYK", (0, 0, 0, 0)), ("YCbCr", (255, 128, 128))]
)
def test_other_colours_are_read(tmp_path: Path, mode: str, clear: tuple[int, ...], channels: int) -> None:
    Image.new(mode, (8, 8), clear).save(tmp_path / "colours.tif")
    assert load_image(tmp_path / "colours.tif", (channels, 8, 8)).min() > 250


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P"])
def test_what_is_transparent_is_white(tmp_path: Path, mode: str) -> None:
    image = Image.new("RGBA", (2, 1), (0, 0, 0, 255))
    image.putpixel((1, 0), (0, 0, 0, 0))
    image.convert(mode).save(tmp_path / "clear.png")
    assert load_image(tmp_path / "clear.png", (3, 1, 2))[:, 0].tolist() == [[0, 255]] * 3


def test_other_ways_to_read_have_another_cache(own: Callable[..., Any], pets: Path) -> None:
    """Two runs at once would train on each other's pixels."""
    ways = [{}, {"white": 4095}, {"white": 65535}, {"skip_broken": True}, {"white": 4095, "skip_broken": True}]
    ways += [{"classes": ["cat", "dog"]}, {"classes": ["cat-dog"]}, {"classes": ["dog", "cat"]}]
    assert len({own(pets, **way).path for way in ways}) == len(ways)


@pytest.mark.parametrize("letter", ["n", "\u732b"])
def test_long_names_fit_into_the_name_of_the_cache(
    own: Callable[..., Any], tmp_path: Path, paint: Callable[..., None], letter: str
) -> None:
    folder = tmp_path / (letter * (240 // len(letter.encode())))
    classes = [f"{letter * 20}{number}" for number in range(30)]
    for number in range(30):
        paint(folder / classes[number] / "0.png", number)
    data = own(folder, classes=classes, num_classes=30, white=4095, skip_broken=True)
    data.prepare_data()
    assert len(data.path.name.encode()) <= 255
    assert data.load()[1] == classes
