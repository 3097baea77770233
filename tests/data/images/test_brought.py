"""Digits as people bring them, for a network that was trained on others: what is done, and what is said."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw, ImageOps

from atelier.data.brought import bring, known_of
from atelier.data.images import ImageData
from atelier.errors import InputError

MNIST = {"brightness": [0.13, 0.044], "contrast": [0.31, 0.04], "aspects": [1, 1]}  # about
Bring = Callable[..., Any]


@pytest.fixture
def plain() -> Image.Image:
    """A white 7 on black, 28×28."""
    image = Image.new("L", (28, 28), 0)
    ImageDraw.Draw(image).line([(7, 6), (20, 6), (12, 22)], fill=255, width=3)
    return image


@pytest.fixture
def brought(make: Callable[..., Any], tmp_path: Path) -> Bring:
    """`brought(image, fit="pad")`: what the network is given of a saved image, and the note on it."""

    def one(image: Image.Image, fit: Any = "crop", invert: Any = "auto", known: Any = MNIST) -> tuple[Any, str]:
        image.save(tmp_path / "digit.png")
        found = bring([str(tmp_path / "digit.png")], make("mnist", "data.source=fake"), known, fit, invert)
        return found.images[0], found.notes[0]

    return one


def pixels(image: Image.Image) -> Any:
    return torch.from_numpy(np.array(image))[None]


def test_of_an_image_like_those_of_the_training_nothing_is_said(brought: Bring, plain: Image.Image) -> None:
    image, note = brought(plain)
    assert note == ""
    assert torch.equal(image, pixels(plain))


def ink_on_transparent(plain: Image.Image) -> Image.Image:
    return Image.merge("LA", (Image.new("L", plain.size, 0), plain))


@pytest.mark.parametrize("change", [ImageOps.invert, ink_on_transparent, lambda i: ImageOps.invert(i).convert("RGB")])
def test_ink_on_paper_is_inverted_and_that_is_said(brought: Bring, plain: Image.Image, change: Any) -> None:
    image, note = brought(change(plain))
    assert note == "inverted"
    assert torch.equal(image, pixels(plain))


@pytest.mark.parametrize(
    ("size", "known", "said"),
    [
        ((28, 28), {"brightness": [0.5, 0.01]}, "brightness 0.25, in training 0.50 ± 0.01"),  # 0.75 would be no nearer
        ((28, 28), {"brightness": [0.25, 0.0]}, ""),  # 64 of 255 is 0.251
        ((200, 199), {}, ""),
        # four standard deviations, and half as wide again
        ((28, 28), {"brightness": [0.5, 0.0655]}, ""),
        ((28, 28), {"brightness": [0.5, 0.0586]}, "brightness 0.25, in training 0.50 ± 0.06"),
        ((145, 100), {"aspects": [1, 1]}, "squeezed"),
        ((155, 100), {"aspects": [1, 1]}, "squeezed; width / height 1.6, in training 1"),
        ((100, 155), {"aspects": [1, 1]}, "squeezed; width / height 0.65, in training 1"),
    ],
    ids=lambda value: str(value) if isinstance(value, tuple) else None,
)
def test_what_is_said_of_an_image_of_one_grey(brought: Bring, size: tuple[int, int], known: Any, said: str) -> None:
    image, note = brought(Image.new("L", size, 64), known=known, fit="squeeze")
    assert (image.unique().tolist(), note) == ([64], said)


def test_inverting_can_be_asked_for_and_forbidden(brought: Bring, plain: Image.Image) -> None:
    image, note = brought(plain, invert=True)
    assert note.startswith("inverted; brightness 0.9")
    assert torch.equal(image, ~pixels(plain))
    image, note = brought(ImageOps.invert(plain), invert=False)
    assert note.startswith("brightness 0.9")
    assert note.endswith(", in training 0.13 ± 0.04")
    assert torch.equal(image, ~pixels(plain))


def test_a_small_digit_in_the_corner_of_a_page_is_told(brought: Bring, plain: Image.Image) -> None:
    page = Image.new("L", (300, 400), 200)
    page.paste(
        Image.composite(Image.new("L", (60, 60), 40), Image.new("L", (60, 60), 200), plain.resize((60, 60))), (200, 300)
    )
    _, note = brought(page)
    assert note.startswith("inverted; contrast 0.0")


def test_a_wide_image_is_told_and_can_be_padded_or_squeezed(brought: Bring, plain: Image.Image) -> None:
    wide = Image.new("L", (84, 28), 0)
    wide.paste(plain, (0, 0))
    image, note = brought(wide)
    assert image.max() == 0, "the digit is cut off"
    assert "width / height 3, in training 1, 67% cut off" in note
    padded, note = brought(wide, fit="pad")
    assert note.startswith("padded; width / height 3, in training 1")
    rows, columns = (padded[0] > 100).nonzero().unbind(1)
    assert 9 < rows.min() <= rows.max() < 19
    assert columns.max() < 10
    squeezed, note = brought(wide, fit="squeeze")
    assert note.startswith("squeezed; ")
    assert (squeezed[0] > 100).any(1).sum() > 14
    assert brought(Image.new("L", (28, 84), 0))[1].startswith("width / height 0.33, in training 1, 67% cut off")


def test_paper_is_padded_with_paper(brought: Bring, plain: Image.Image) -> None:
    wide = Image.new("L", (84, 28), 255)
    wide.paste(ImageOps.invert(plain), (28, 0))
    image, note = brought(wide, fit="pad")
    assert note.startswith("padded; ")
    assert "inverted" in note
    assert image[0, 0].max() == 0


def test_shapes_like_those_of_the_training_are_not_told(brought: Bring, plain: Image.Image) -> None:
    known = {**MNIST, "aspects": [0.5, 2.5]}
    wide = Image.new("L", (84, 28), 0)
    wide.paste(plain, (28, 0))
    assert brought(wide, known=known)[1] == ""
    assert brought(plain.resize((40, 28)))[1] == ""


def test_without_an_account_nothing_is_compared(brought: Bring, plain: Image.Image) -> None:
    image, note = brought(ImageOps.invert(plain), known={})
    assert note == ""
    assert torch.equal(image, ~pixels(plain))


def test_the_account_is_that_of_the_run_or_of_the_data(make: Callable[..., Any]) -> None:
    data = make("digits")
    assert known_of(data, None) == {}, "they are not here"
    assert known_of(data, MNIST) == MNIST
    data.prepare_data()
    mean, _ = known_of(data, None)["brightness"]
    assert mean == pytest.approx(0.305, abs=0.01)


def test_folders_are_entered_and_what_is_no_image_is_counted(
    make: Callable[..., Any], tmp_path: Path, plain: Image.Image
) -> None:
    for name in ("b.jfif", "deep/er/a", "c.png"):
        (tmp_path / "photos" / name).parent.mkdir(parents=True, exist_ok=True)
        plain.save(tmp_path / "photos" / name, "PNG")
    for name in ("notes.txt", "._c.png"):
        (tmp_path / "photos" / name).write_text("no image")
    found = bring([str(tmp_path / "photos")], make("mnist", "data.source=fake"), MNIST, "crop", "auto")
    assert [file.name for file in found.files] == ["b.jfif", "c.png", "a"]
    assert {why: one["count"] for why, one in found.left_out.items()} == {"hidden": 1, "not an image": 1}
    assert not found.unread


def test_all_that_cannot_be_read_is_told(make: Callable[..., Any], tmp_path: Path) -> None:
    for number in range(12):
        (tmp_path / f"{number:02d}.png").touch()
    names = [str(tmp_path / f"{number:02d}.png") for number in range(12)]
    with pytest.raises(InputError) as told:
        bring(names, make("mnist", "data.source=fake"), MNIST, "crop", "auto")
    first, second = str(told.value).splitlines()
    assert first == f"inputs: {names[0]} is no image that can be read (it is empty)"
    assert second == f"nor can: {', '.join(names[1:10])} and 2 more"


def test_a_remedy_is_told_that_the_data_set_has(make: Callable[..., Any], tmp_path: Path) -> None:
    Image.fromarray(np.full((28, 28), 4000, np.uint16)).save(tmp_path / "deep.png")
    with pytest.raises(InputError, match=r"deep.png: its values are .* which do not tell what is white; convert it to"):
        bring([str(tmp_path / "deep.png")], make("mnist", "data.source=fake"), MNIST, "crop", "auto")


def test_a_fault_in_an_own_reader_is_told_and_other_files_are_named(
    make: Callable[..., Any], plain: Image.Image, tmp_path: Path
) -> None:
    for name in ("a.png", "b.png"):
        plain.save(tmp_path / name)
    data, read = make("mnist", "data.source=fake"), ImageData.load_file

    def load_file(path: Path, fit: Any) -> Any:
        if path.name == "a.png":
            raise ValueError("half of it is missing")
        return read(data, path, fit)

    data.load_file = load_file
    found = bring([str(tmp_path)], data, MNIST, "crop", "auto")
    assert [file.name for file in found.files] == ["b.png"]
    ((name, told),) = found.unread.items()
    assert name.endswith("a.png")
    assert "ValueError: half of it is missing" in told
