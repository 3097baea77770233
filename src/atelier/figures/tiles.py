"""Arranges small images of equal size, such as filters, in a grid with gaps."""

import torch
import torch.nn.functional as F
from torch import Tensor

GAP = 1  # pixels between images


def tiles(images: Tensor, columns: int) -> Tensor:
    """Images (N, C, h, w) in rows of `columns`, as an image (H, W, C); gaps and empty places are NaN.

    >>> tiles(torch.tensor([1.0, 2.0, 3.0]).view(3, 1, 1, 1), columns=2)[..., 0]
    tensor([[1., nan, 2.],
            [nan, nan, nan],
            [3., nan, nan]])
    """
    count, channels, height, width = images.shape
    rows = -(-count // columns)
    padded = images.new_full((rows * columns, channels, height + GAP, width + GAP), torch.nan)
    padded[:count, :, :height, :width] = images
    grid = padded.view(rows, columns, channels, height + GAP, width + GAP).permute(0, 3, 1, 4, 2)
    return grid.reshape(rows * (height + GAP), columns * (width + GAP), channels)[:-GAP, :-GAP]


def as_seen(images: Tensor) -> Tensor:
    """Images (N, C, h, w) of gray or colours; of another number of channels, these side by side as gray, (N, 1, h, …).

    >>> as_seen(torch.zeros(2, 2, 3, 4)).shape
    torch.Size([2, 1, 3, 10])
    """
    if images.shape[1] in (1, 3):
        return images
    return torch.cat(list(F.pad(images, (0, GAP), value=1.0).split(1, dim=1)), dim=3)
