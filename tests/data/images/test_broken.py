"""Images that cannot be read: all are named at once, or left out and counted."""

import io
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from atelier.data.reading import UnreadableImage, open_image
from atelier.errors import InputError

Own = Callable[..., Any]


def png(width: int = 8, height: int = 8) -> bytes:
    """A PNG file of one black row, whatever size its head says."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(bytes(9))) + chunk(b"IEND", b"")


def encoded(kind: str) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 64, 3)).astype(np.uint8)).save(stream, kind)
    return stream.getvalue()


BROKEN = {
    "empty": b"",
    "no image": b"<html>404</html>",
    "half a JPEG": encoded("JPEG")[:900],
    "half a PNG": encoded("PNG")[:900],
    "broken chunk": png().replace(b"IDAT", b"IDAX"),
    "broken checksum": png()[:-20] + b"\0" * 20,
    "too large": png(60_000, 60_000),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_image_is_named_or_left_out(own: Own, pets: Path, name: str) -> None:
    file = pets / "dog" / "9.png"
    file.write_bytes(BROKEN[name])
    with pytest.raises(
        InputError, match=f"^data.images: {file} is no image that can be read .*\n1 in all; data.skip_br"
    ):
        own(pets).prepare_data()
    data = own(pets, skip_broken=True)
    data.prepare_data()
    data.setup()
    known, lines = data.account()
    assert known["classes"] == {"cat": 10, "dog": 9}
    assert lines[0].endswith("left out: broken: 1 (dog/9.png)")
    with pytest.raises(InputError):  # what was made while they were left out does not hide them
        own(pets).prepare_data()


@pytest.mark.parametrize("target", ["nowhere.jpg", "dog/round.jpg"])
def test_a_link_that_leads_to_no_file_is_named(own: Own, pets: Path, target: str) -> None:
    (pets / "dog" / "round.jpg").symlink_to(pets / target)
    with pytest.raises(InputError, match=f"^data.images: {pets}/dog/round.jpg .*a link that leads to no file"):
        own(pets).prepare_data()
    own(pets, skip_broken=True).prepare_data()


def test_all_broken_images_are_named_at_once(own: Own, pets: Path) -> None:
    for number in range(13):
        (pets / ("cat", "dog")[number % 2] / f"broken{number:02d}.jpg").touch()
    with pytest.raises(InputError) as told:
        own(pets).prepare_data()
    first, second = str(told.value).splitlines()
    assert sorted(first.count(f"broken{number:02d}") for number in range(13)) == [0] * 3 + [1] * 10
    assert first.endswith(" and 3 more")
    assert second == "13 in all; data.skip_broken=true leaves them out"


def test_a_class_of_broken_images_alone_is_told(own: Own, pets: Path) -> None:
    (pets / "fox").mkdir()
    (pets / "fox" / "0.jpg").touch()
    with pytest.raises(InputError, match=r"fox/0.jpg is no image that can be read"):
        own(pets).prepare_data()
    data = own(pets, skip_broken=True)
    data.prepare_data()
    data.setup()
    assert data.account()[0]["classes"] == {"cat": 10, "dog": 10}


def test_all_images_broken_are_told(own: Own, pets: Path) -> None:
    for file in pets.rglob("*.png"):
        file.write_bytes(file.read_bytes()[:90])
    with pytest.raises(InputError, match=r"no image is left to train on \(broken: 20 "):
        own(pets, skip_broken=True).prepare_data()


@pytest.mark.parametrize("pixels", [np.full((8, 8), 100, np.float32), np.full((8, 8), 100, np.uint16)])
def test_a_range_that_is_not_certain_is_never_skipped(own: Own, pets: Path, pixels: np.ndarray) -> None:
    Image.fromarray(pixels).save(pets / "dog" / "deep.tif")
    for skipped in (False, True):
        with pytest.raises(InputError, match=r"dog/deep.tif: its values are .*, 100 to 100, .*data.white=255"):
            own(pets, skip_broken=skipped).prepare_data()
    own(pets, white=255).prepare_data()


def test_what_is_no_file_does_not_block(tmp_path: Path) -> None:
    import os

    os.mkfifo(tmp_path / "pipe.jpg")
    with pytest.raises(UnreadableImage, match="no file"):
        open_image(tmp_path / "pipe.jpg")


@pytest.mark.parametrize("name", ["file", "file/below", "link"])
def test_a_data_folder_that_cannot_be_written_is_told(own: Own, pets: Path, name: str) -> None:
    (pets.parent / "file").touch()
    (pets.parent / "link").symlink_to("nowhere/at/all")
    place = pets.parent / name
    with pytest.raises(InputError, match=rf"^{place}/pets_.*.safetensors cannot be written: .*DATA_DIR"):
        own(pets, folder=str(place)).prepare_data()
