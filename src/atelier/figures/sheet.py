"""A sheet of pictures, each with a caption."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor


def draw_sheet(
    images: Tensor,
    captions: Sequence[str],
    path: Path,
    columns: int = 5,
    title: str | None = None,
    colors: Sequence[str] | None = None,
    font: float = 8,
) -> None:
    """Draw images (N, C, H, W) with values in 0–1 in rows of `columns`, each over its caption, into a PNG file.

    Channels that are neither gray nor colours stand side by side. `font` is the size of the captions in points.
    """
    from matplotlib.figure import Figure

    if images.shape[1] not in (1, 3):
        images = torch.cat(list(F.pad(images, (0, 1), value=1.0).split(1, dim=1)), dim=3)
    rows = -(-len(images) // columns)
    lines = 1 + max((caption.count("\n") for caption in captions), default=0)
    height = 1.6 * images.shape[2] / images.shape[3] + max(0.25, 0.02 * font * lines)  # inches, the caption included
    figure = Figure(figsize=(1.6 * columns, height * rows + (0.4 if title else 0)), layout="constrained")
    axes = np.atleast_1d(figure.subplots(rows, columns)).ravel()
    for axis in axes:
        axis.set_axis_off()
    for index, (axis, image, caption) in enumerate(zip(axes, images, captions, strict=False)):
        pixels = image.permute(1, 2, 0).float().cpu().numpy()
        axis.imshow(pixels.squeeze(-1) if pixels.shape[-1] == 1 else pixels, cmap="gray", vmin=0, vmax=1)
        axis.set_title(caption, fontsize=font, y=0, pad=-4, va="top", color=colors[index] if colors else "black")
    if title:
        figure.suptitle(title, fontsize=font + 2)
    figure.savefig(path, dpi=120)
