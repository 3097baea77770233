"""Image files as uint8 tensors: upright, on white, of 8 bits, scaled to one shape."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from PIL import Image, ImageOps, UnidentifiedImageError
from rich.progress import track
from torch import Tensor

from atelier.data.class_folders import ENDINGS, LeftOut, is_image, readable
from atelier.errors import InputError

Fit = Literal["crop", "pad", "squeeze"]
MOST_NAMED = 10  # broken files in a message
ORIENTATION = 0x0112  # in EXIF; from 5 on, height and width have changed places


class UnreadableImage(Exception):
    """A file that is no image, or one that cannot be read; the message says why."""


class UnknownRange(UnreadableImage):
    """An image whose values do not tell which of them is white."""


@dataclass
class ImageFiles:
    """The images among some files.

    Args:
        images: uint8 (N, C, H, W).
        rows: which of the files they are.
        aspects: width / height of each file.
    """

    images: Tensor
    rows: list[int]
    aspects: list[float]


def load_images(
    files: Sequence[Path],
    shape: Sequence[int],
    left_out: LeftOut,
    white: float | None = None,
    skip_broken: bool = False,
) -> ImageFiles:
    """The images among `files`, each as `load_image` has it.

    A file that is no image, by its content and by its name, is added to those that are left out.

    Raises:
        InputError: if one cannot be read although it is an image, or called like one, unless `skip_broken`; or if one
            does not tell which value is white.
    """

    def read(file: Path) -> tuple[Tensor, float] | UnreadableImage:
        try:
            image = open_image(file, white)
        except UnreadableImage as error:
            return error
        return fitted(image, shape), image.width / image.height

    with ThreadPoolExecutor() as pool:
        found = list(track(pool.map(read, files), "Reading images", len(files), transient=True))
    failed = [(file, one) for file, one in zip(files, found, strict=True) if isinstance(one, UnreadableImage)]
    unclear = [(file, error) for file, error in failed if isinstance(error, UnknownRange)]
    other = {file for file, _ in failed if file.suffix.lower() not in ENDINGS and not is_image(file)}
    broken = [(file, error) for file, error in failed if file not in other]
    if unclear or (broken and not skip_broken):
        raise InputError(refusal(unclear or broken))
    for file, _ in failed:
        left_out.add("not an image" if file in other else "broken", file)
    rows = [row for row, one in enumerate(found) if not isinstance(one, UnreadableImage)]
    pairs = [one for one in found if not isinstance(one, UnreadableImage)]
    images = torch.stack([image for image, _ in pairs]) if pairs else torch.zeros((0, *shape), dtype=torch.uint8)
    return ImageFiles(images, rows, [aspect for _, aspect in pairs])


def refusal(failed: Sequence[tuple[Path, UnreadableImage]]) -> str:
    """In two lines, which files cannot be used and what to do."""
    (first, error), *_ = failed
    named = ", ".join(readable("/".join(file.parts[-2:])) for file, _ in failed[1:MOST_NAMED])
    named = f"; so {'is' if len(failed) == 2 else 'are'} {named}" if named else ""
    more = f" and {len(failed) - MOST_NAMED:,} more" if len(failed) > MOST_NAMED else ""
    if isinstance(error, UnknownRange):
        return f"data.images: {readable(first)}: {error}{named}{more}"
    remedy = f"\n{len(failed):,} in all; data.skip_broken=true leaves them out"
    return f"data.images: {readable(first)} is no image that can be read ({error}){named}{more}{remedy}"


def load_image(path: Path, shape: Sequence[int], fit: Fit = "crop", white: float | None = None) -> Tensor:
    """An image file as uint8 (C, H, W); one channel is gray. See `open_image` and `fitted`."""
    return fitted(open_image(path, white), shape, fit)


def open_image(path: Path, white: float | None = None) -> Image.Image:
    """An image as it is looked at: upright as the camera was held, of 8 bits, on white where it is transparent.

    Args:
        path: the file.
        white: which value is white, of more than 8 bits; None: 1 of floats, 65,535 of whole numbers.

    Raises:
        UnreadableImage: if it is none, or cannot be read, whatever the reason.
    """
    try:
        if not path.is_file():
            raise OSError("a link that leads to no file" if path.is_symlink() else "no file")
        with Image.open(path) as image:
            return as_seen(image, white)
    except UnreadableImage:
        raise
    except Exception as error:  # each of Pillow's readers raises what it likes
        raise UnreadableImage(reason(path, error)) from error


def reason(path: Path, error: Exception) -> str:
    if isinstance(error, UnidentifiedImageError):
        return "of a kind that Pillow does not know" if path.stat().st_size else "it is empty"
    words = readable((str(error) or type(error).__name__).splitlines()[0])
    return words if isinstance(error, OSError) else f"{type(error).__name__}: {words}"


def as_seen(image: Image.Image, white: float | None = None) -> Image.Image:
    """See `open_image`; of gray or colours."""
    image = ImageOps.exif_transpose(image)
    if image.mode.startswith("I") or image.mode == "F":
        values = np.asarray(image, np.float64)
        scaled = values * (255 / (white_of(values, image.mode) if white is None else white))
        return Image.fromarray(scaled.round().clip(0, 255).astype(np.uint8))
    if image.has_transparency_data:
        colours = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), colours)
    return image.convert("L" if image.mode in ("1", "L") else "RGB")


def white_of(values: np.ndarray, mode: str) -> float:
    """Which value is white, where the values leave no doubt.

    Raises:
        UnknownRange: if they do.
    """
    low, high = values.min(), values.max()
    if mode == "F" and low >= 0 and high <= 1:
        return 1
    if mode != "F" and low >= 0 and 4095 < high <= 65535:  # more than 12 bits
        return 65535
    kind = "floats" if mode == "F" else "whole numbers of more than 8 bits"
    raise UnknownRange(
        f"its values are {kind}, {low:.6g} to {high:.6g}, which do not tell what is white;"
        " data.white=255, 4095 or 65535 says it"
    )


def fitted(image: Image.Image, shape: Sequence[int], fit: Fit = "crop") -> Tensor:
    """An image as uint8 (C, H, W).

    `crop` cuts off what stands out on two sides, `pad` adds on two sides what the image has at its edge, `squeeze`
    changes its proportions.
    """
    channels, height, width = shape
    image = image.convert("L" if channels == 1 else "RGB")
    if fit == "crop":
        image = ImageOps.fit(image, (width, height))
    elif fit == "pad":
        image = ImageOps.pad(image, (width, height), color=edge(image))
    else:
        image = image.resize((width, height), Image.Resampling.BICUBIC)
    return torch.from_numpy(np.array(image)).reshape(height, width, channels).permute(2, 0, 1).contiguous()


def edge(image: Image.Image) -> tuple[int, ...]:
    """The median colour of an image's outermost pixels."""
    pixels = np.asarray(image).reshape(image.height, image.width, -1)
    rim = np.concatenate([pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]])
    return tuple(int(value) for value in np.median(rim, axis=0))


def aspect(path: Path) -> float:
    """Width / height of an image file as it is looked at, from its head alone."""
    with Image.open(path) as image:
        width, height = image.size
        turned = image.getexif().get(ORIENTATION, 1) >= 5
    return height / width if turned else width / height
