"""A sheet of pictures, each with a caption."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from torch import Tensor


def draw_sheet(
    images: Tensor,
    captions: Sequence[str],
    path: Path,
    columns: int = 5,
    title: str | None = None,
    colors: Sequence[str] | None = None,
) -> None:
    """Draw images (N, C, H, W) with values in 0–1 in rows of `columns`, each over its caption, into a PNG file."""
    from matplotlib.figure import Figure

    rows = -(-len(images) // columns)
    figure = Figure(figsize=(1.6 * columns, 1.85 * rows + (0.4 if title else 0)), layout="constrained")
    axes = np.atleast_1d(figure.subplots(rows, columns)).ravel()
    for axis in axes:
        axis.set_axis_off()
    for index, (axis, image, caption) in enumerate(zip(axes, images, captions, strict=False)):
        pixels = image.permute(1, 2, 0).float().cpu().numpy()
        axis.imshow(pixels.squeeze(-1) if pixels.shape[-1] == 1 else pixels, cmap="gray", vmin=0, vmax=1)
        axis.set_title(caption, fontsize=8, y=-0.05, va="top", color=colors[index] if colors else "black")
    if title:
        figure.suptitle(title, fontsize=10)
    figure.savefig(path, dpi=120)
