"""Arranges generated images in grids, in named panels, and as animations."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from atelier.figures.tiles import as_seen, tiles
from atelier.figures.words import as_written

LEAST_SIDE = 56  # pixels; smaller images are enlarged by an integer to about this width
GAP = 2  # pixels between images, added to the gap of `tiles`


def frame(pictures: Tensor, columns: int) -> Image.Image:
    """Images (N, C, H, W), values 0 to 1, `as_seen`, in rows of `columns` in an image with white gaps."""
    pictures = as_seen(pictures)
    scale = max(1, round(LEAST_SIDE / pictures.shape[-1]))
    large = pictures.detach().float().cpu().repeat_interleave(scale, 2).repeat_interleave(scale, 3)
    spaced = F.pad(large.clamp(0, 1), (0, GAP, 0, GAP), value=1.0)
    grid = tiles(spaced, columns)[:-GAP, :-GAP].nan_to_num(1.0).mul(255).round().byte()
    return Image.fromarray(grid.expand(-1, -1, 3).numpy())


def read(path: Path) -> Image.Image:
    """Load an image file."""
    with Image.open(path) as image:
        return image.convert("RGB")


def animate(frames: Sequence[Image.Image], path: Path, seconds: float = 0.25) -> None:
    """Write images of equal size as a GIF that repeats, and shows its last image for 1.5 seconds."""
    durations = [int(1000 * seconds)] * (len(frames) - 1) + [1500]
    first, *rest = [image.quantize(64) for image in frames]
    first.save(path, save_all=True, append_images=rest, duration=durations, loop=0)


@as_written()
def draw_panels(panels: Sequence[tuple[str, Image.Image]], path: Path, columns: int, title: str | None = None) -> None:
    """Draw images in rows of `columns`, each under its name, into a PNG file."""
    from matplotlib.figure import Figure

    from atelier.figures.palette import write_png

    rows = -(-len(panels) // columns)
    width, height = (max(image.size[side] for _, image in panels) for side in (0, 1))
    wide = max(3.0, min(10.0, width / 110)) if columns == 1 else 3.2  # inches of a panel
    size = (wide * columns, (wide * height / width + 0.35) * rows + (0.4 if title else 0))
    figure = Figure(figsize=size, layout="constrained")
    axes = np.atleast_1d(figure.subplots(rows, columns)).ravel()
    for axis in axes:
        axis.set_axis_off()
    for axis, (name, image) in zip(axes, panels, strict=False):
        axis.imshow(np.asarray(image), interpolation="nearest")
        axis.set_title(name, fontsize=11)
    if title:
        figure.suptitle(title, fontsize=12)
    write_png(figure, path, dpi=110)


def interleave(*rows: Tensor, columns: int) -> Tensor:
    """Arrange sets of images (N, C, H, W) in alternating rows: `columns` images of each set in turn.

    The last rows are filled with white.
    """
    parts = []
    for start in range(0, len(rows[0]), columns):
        for row in rows:
            part = row[start : start + columns]
            parts += [part, part.new_ones(columns - len(part), *part.shape[1:])]
    return torch.cat(parts)
