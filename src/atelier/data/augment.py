"""Random changes of training images that leave their labels true, on whole batches and on the images' own device."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

import torch
import torch.nn.functional as F
from annotated_types import Ge
from torch import Tensor

from atelier.errors import InputError

Strength = Annotated[float, Ge(0)]


@dataclass(frozen=True)
class PhotoJitter:
    """Another photograph of the same thing: turned, scaled, shifted, brighter or darker, noisier.

    Args:
        rotation: degrees, up to which an image is turned either way.
        scale: share by which it grows or shrinks at most.
        shift: share of its side by which it moves at most, in each direction.
        brightness: largest change of the normalised values' scale and offset.
        noise: largest standard deviation of noise added to the normalised values.
    """

    rotation: Strength = 0.0
    scale: Strength = 0.0
    shift: Strength = 0.0
    brightness: Strength = 0.0
    noise: Strength = 0.0

    def __call__(self, images: Tensor) -> Tensor:
        """Normalised images (N, C, H, W) to images of the same shape."""
        count, device = len(images), images.device

        def uniform(*shape: int) -> Tensor:
            return torch.rand(count, *shape, device=device) * 2 - 1

        angle = uniform() * math.radians(self.rotation)
        size = torch.exp(uniform() * math.log1p(self.scale))
        cosine, sine = angle.cos() / size, angle.sin() / size
        move = uniform(2) * 2 * self.shift  # the picture spans -1 to 1
        matrix = torch.stack([cosine, -sine, move[:, 0], sine, cosine, move[:, 1]], 1).view(count, 2, 3)
        grid = F.affine_grid(matrix, list(images.shape), align_corners=False)
        # What is turned in from outside mirrors what is inside, so that no edge gives the change away.
        images = F.grid_sample(images, grid, padding_mode="reflection", align_corners=False)
        images = images * (1 + self.brightness * uniform(1, 1, 1)) + self.brightness * uniform(1, 1, 1)
        strength = self.noise * torch.rand(count, 1, 1, 1, device=device)
        return images + strength * torch.randn_like(images)


@dataclass(frozen=True)
class CropFlipCutout:
    """What has become usual for small photographs: a shifted crop, a mirrored half, an erased square.

    Args:
        shift: pixels by which an image moves at most, up or down and left or right; what is moved in mirrors the edge.
        flip: whether half of the images are mirrored left to right.
        cutout: side in pixels of a square at a random place that is set to the mean; 0 for none (DeVries and Taylor
            2017, arXiv:1708.04552).
    """

    shift: Annotated[int, Ge(0)] = 0
    flip: bool = False
    cutout: Annotated[int, Ge(0)] = 0

    def check(self, shape: Sequence[int]) -> None:
        """Raise InputError if images (…, H, W) are too small for `shift`: a mirror has no more than the image."""
        if self.shift >= min(shape[-2:]):
            raise InputError(
                f"data.augmentation.shift={self.shift}: give 0 to {min(shape[-2:]) - 1},"
                f" less than a side of pictures of {list(shape)}"
            )

    def __call__(self, images: Tensor) -> Tensor:
        """Normalised images (N, C, H, W) to images of the same shape."""
        if self.shift or self.flip:
            images = self.moved(images)
        return self.erased(images) if self.cutout else images

    def moved(self, images: Tensor) -> Tensor:
        """One gather for crop and flip: each image's own rows and columns of the image padded by `shift`."""
        count, channels, height, width = images.shape
        device = images.device
        padded = F.pad(images, [self.shift] * 4, mode="reflect") if self.shift else images
        down, right = torch.randint(2 * self.shift + 1, (2, count, 1), device=device)
        rows = torch.arange(height, device=device) + down  # (N, H)
        columns = torch.arange(width, device=device).expand(count, -1)
        if self.flip:
            mirrored = torch.rand(count, 1, device=device) < 0.5
            columns = torch.where(mirrored, width - 1 - columns, columns)
        columns = columns + right  # (N, W)
        index = rows[:, :, None] * padded.shape[3] + columns[:, None]  # (N, H, W) into the padded image, flattened
        index = index.view(count, 1, -1).expand(-1, channels, -1)
        return padded.flatten(2).gather(2, index).view_as(images)

    def erased(self, images: Tensor) -> Tensor:
        """The square's centre lies anywhere in the image, so that part of it may fall outside."""
        count, _, height, width = images.shape

        def inside(side: int) -> Tensor:  # (N, side): which rows or columns the square covers
            first = torch.randint(side, (count, 1), device=images.device) - self.cutout // 2
            place = torch.arange(side, device=images.device)
            return (place >= first) & (place < first + self.cutout)

        return images.masked_fill((inside(height)[:, :, None] & inside(width)[:, None])[:, None], 0.0)
