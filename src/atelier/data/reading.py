"""Reads image files as uint8 tensors of a given shape: upright, without transparency, with 8 bits."""

import re
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, Literal, TypeVar

import numpy as np
import torch
from PIL import Image, ImageOps, UnidentifiedImageError
from rich.progress import track
from torch import Tensor

from atelier.data.class_folders import ENDINGS, LeftOut, is_image, readable
from atelier.errors import InputError

Fit = Literal["crop", "pad", "squeeze"]
Read = TypeVar("Read")
AHEAD = 32  # maximum number of images that are decoded and not yet taken
MOST_NAMED = 10  # maximum number of broken files in a message
ORIENTATION = 0x0112  # EXIF tag; from value 5 on, height and width are swapped


class UnreadableImage(Exception):
    """Raised for a file that is no image, or cannot be read; the message is the reason."""


class UnknownRange(UnreadableImage):
    """Raised for an image of more than 8 bits whose value of white is unknown; the `remedy` is of a set of images."""

    def __init__(self, reason: str, remedy: str) -> None:
        super().__init__(f"{reason}; {remedy}")
        self.reason = reason


def read_images(
    files: Sequence[Path],
    shape: Sequence[int],
    left_out: LeftOut,
    white: float | None = None,
    skip_broken: bool = False,
) -> Iterator[tuple[int, Tensor, float]]:
    """The images among `files`, one after the other: index of the file, image like `load_image`, width / height.

    After the last one, files that are no images, by content and by name, are added to `left_out`, as are broken images
    with `skip_broken`.

    Raises:
        InputError: after the last one, if an image, or a file with an image's ending, cannot be read, unless
            `skip_broken`; or if the value of white is unknown.
    """

    def read(file: Path) -> tuple[Tensor, float] | UnreadableImage:
        try:
            image = open_image(file, white)
        except UnreadableImage as error:
            return error
        return fitted(image, shape), image.width / image.height

    failed = []
    for row, found in enumerate(track(each_of(read, files), "Reading images", len(files), transient=True)):
        if isinstance(found, UnreadableImage):
            failed.append((files[row], found))
        else:
            yield row, *found
    unclear = [(file, error) for file, error in failed if isinstance(error, UnknownRange)]
    other = {file for file, _ in failed if file.suffix.lower() not in ENDINGS and not is_image(file)}
    broken = [(file, error) for file, error in failed if file not in other]
    if unclear or (broken and not skip_broken):
        raise InputError(refusal(unclear or broken))
    for file, _ in failed:
        left_out.add("not an image" if file in other else "broken", file)


def each_of(read: Callable[[Path], Read], files: Sequence[Path]) -> Iterator[Read]:
    """What `read` returns for each file, in order, by threads that are at most AHEAD files ahead."""
    with ThreadPoolExecutor() as pool:
        waiting: deque[Future[Read]] = deque()
        for file in files:
            waiting.append(pool.submit(read, file))
            if len(waiting) == AHEAD:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


def refusal(failed: Sequence[tuple[Path, UnreadableImage]]) -> str:
    """The message for files that cannot be used, with the remedy."""
    (first, error), *_ = failed
    named = ", ".join(readable("/".join(file.parts[-2:])) for file, _ in failed[1:MOST_NAMED])
    named = f"; so {'is' if len(failed) == 2 else 'are'} {named}" if named else ""
    more = f" and {len(failed) - MOST_NAMED:,} more" if len(failed) > MOST_NAMED else ""
    if isinstance(error, UnknownRange):
        return f"data.images: {readable(first)}: {error}{named}{more}"
    remedy = f"\n{len(failed):,} in all; data.skip_broken=true leaves them out"
    return f"data.images: {readable(first)} is no image that can be read ({error}){named}{more}{remedy}"


def load_image(path: Path, shape: Sequence[int], fit: Fit = "crop", white: float | None = None) -> Tensor:
    """Load an image file as uint8 (C, H, W); one channel is grey. See `open_image` and `fitted`."""
    return fitted(open_image(path, white), shape, fit)


def open_image(path: Path, white: float | None = None) -> Image.Image:
    """Open an image: rotated upright by its EXIF data, converted to 8 bits, transparent parts on white.

    Args:
        path: the file.
        white: the value of white for more than 8 bits; None: 1 for floats, 65,535 for integers.

    Raises:
        UnreadableImage: if the file is no image, or cannot be read.
    """
    try:
        if not path.is_file():
            raise OSError("a link that leads to no file" if path.is_symlink() else "no file")
        with Image.open(path) as image:
            return as_seen(image, white)
    except UnreadableImage:
        raise
    except Exception as error:  # Pillow's readers raise many kinds
        raise UnreadableImage(reason(path, error)) from error


def reason(path: Path, error: Exception) -> str:
    if isinstance(error, UnidentifiedImageError):
        return "of a kind that Pillow does not know" if path.stat().st_size else "it is empty"
    words = readable((str(error) or type(error).__name__).splitlines()[0])
    return words if isinstance(error, OSError) else f"{type(error).__name__}: {words}"


def as_seen(image: Image.Image, white: float | None = None) -> Image.Image:
    """Convert an opened image as `open_image` describes, to mode L or RGB."""
    of_16_bits = re.search(r"(RGB[AX]?|LA);16", str(getattr(image, "tile", "")))  # a channel; known until it is loaded
    image = ImageOps.exif_transpose(image)
    if image.mode.startswith("I") or image.mode == "F":
        values = np.asarray(image, np.float64)
        if not np.isfinite(values).all():
            raise UnreadableImage("it has pixels that are no numbers")
        scaled = values * (255 / (white_of(values, image.mode) if white is None else white))
        return Image.fromarray(scaled.round().clip(0, 255).astype(np.uint8))
    if of_16_bits:
        check_upper_bits(image, white)
    if image.has_transparency_data:
        colours = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), colours)
    return image.convert("L" if image.mode in ("1", "L") else "RGB")


def check_upper_bits(image: Image.Image, white: float | None) -> None:
    """
    Raises:
        UnknownRange: for a colour image of 16 bits whose white is not 65,535: Pillow reads the upper 8 bits alone.
    """
    bands: Any = image.convert("RGB").getextrema()
    high = 257 * max(high for _, high in bands)
    if white not in (None, 65535) or (white is None and high < 4096):
        raise UnknownRange(
            "its colours have 16 bits, of which the upper 8 are read, so that white is 65535",
            f"its largest is about {high}: convert it to 8 bits, or give data.white=65535",
        )


def white_of(values: np.ndarray, mode: str) -> float:
    """The value of white, if the range of the values determines it.

    Raises:
        UnknownRange: if it does not.
    """
    low, high = values.min(), values.max()
    if mode == "F" and low >= 0 and high <= 1:
        return 1
    if mode != "F" and low >= 0 and 4095 < high <= 65535:  # more than 12 bits are used
        return 65535
    kind = "floats" if mode == "F" else "whole numbers of more than 8 bits"
    raise UnknownRange(
        f"its values are {kind}, {low:.6g} to {high:.6g}, which do not tell what is white",
        "data.white=255, 4095 or 65535 says it",
    )


def fitted(image: Image.Image, shape: Sequence[int], fit: Fit = "crop") -> Tensor:
    """Convert an image to uint8 (C, H, W).

    For another aspect ratio, `crop` cuts off two sides, `pad` adds the colour of the edge on two sides, and `squeeze`
    distorts the image.
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
    """Width / height of an image file after its EXIF rotation, from its header."""
    with Image.open(path) as image:
        width, height = image.size
        turned = image.getexif().get(ORIENTATION, 1) >= 5
    return height / width if turned else width / height
