"""Draws a sheet of images with captions, with Pillow, which takes a tenth of Matplotlib's time."""

import textwrap
from collections.abc import Sequence
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from atelier.figures.tiles import as_seen

CELL = 192  # pixels, width of an image with its gaps
GAP = 8  # pixels on each side of an image
POINT = 120 / 72  # pixels of a point, at 120 dots per inch
LONGEST = 60  # characters of a line of a caption that can be read


def draw_sheet(
    images: Tensor,
    captions: Sequence[str],
    path: Path,
    columns: int = 5,
    title: str | None = None,
    colors: Sequence[str] | None = None,
    font: float = 10,
) -> None:
    """Draw images (N, C, H, W), values 0 to 1, in rows of `columns`, each above its caption, into a PNG file.

    If C is neither 1 nor 3, the channels are drawn side by side. `font` is the size of the captions in points; it is
    reduced if a caption is too wide, and a line of more than `LONGEST` characters is cut off.
    """
    captions = ["\n".join(cut_off(line) for line in caption.split("\n")) for caption in captions]
    images = as_seen(images)
    width = CELL - 2 * GAP
    height = max(1, round(width * images.shape[2] / images.shape[3]))
    small = letters(font * POINT, captions, CELL - 4)
    large = letters((font + 2) * POINT)
    lines = textwrap.wrap(title, int(len(title) * columns * CELL / large.getlength(title))) if title else []
    top = GAP + sum(1.3 * large.size for _ in lines)
    below = 1.25 * small.size * (1 + max((caption.count("\n") for caption in captions), default=0))
    step = height + below + 2 * GAP
    rows = -(-len(images) // columns)
    sheet = Image.new("RGB", (columns * CELL, round(top + rows * step)), "white")
    draw = ImageDraw.Draw(sheet)
    draw.multiline_text((sheet.width / 2, GAP), "\n".join(lines), "black", large, anchor="ma", align="center")
    pixels = (images.float().cpu().nan_to_num().clamp(0, 1) * 255).round().byte().permute(0, 2, 3, 1).numpy()
    for index, (picture, caption) in enumerate(zip(pixels, captions, strict=True)):
        left, upper = index % columns * CELL, round(top + index // columns * step)
        one = Image.fromarray(picture.squeeze(-1) if picture.shape[-1] == 1 else picture)
        enlarged = one.width <= width
        one = one.resize((width, height), Image.Resampling.NEAREST if enlarged else Image.Resampling.LANCZOS)
        sheet.paste(one, (left + GAP, upper))
        place = (left + CELL / 2, upper + height + GAP / 2)
        ink = colors[index] if colors else "black"
        draw.multiline_text(place, caption, ink, small, anchor="ma", spacing=small.size / 4, align="center")
    sheet.save(path)


def cut_off(line: str) -> str:
    """
    >>> cut_off("W" * 60) == "W" * 60, cut_off("W" * 61) == "W" * 59 + "…"
    (True, True)
    """
    return line if len(line) <= LONGEST else f"{line[: LONGEST - 1]}…"


def letters(size: float, texts: Sequence[str] = (), room: float = 0) -> ImageFont.FreeTypeFont:
    """DejaVu Sans of `size` pixels, or smaller, so that the widest line of the texts fits into `room` pixels."""
    from matplotlib import get_data_path  # Matplotlib contains the font

    file = f"{get_data_path()}/fonts/ttf/DejaVuSans.ttf"
    font = ImageFont.truetype(file, size)
    widest = max((font.getlength(line) for text in texts for line in text.splitlines()), default=0)
    return font if widest <= room or not room else ImageFont.truetype(file, size * room / widest)
