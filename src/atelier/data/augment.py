"""Augmentation of training images, on whole batches, on the device of the images."""

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
    """Random rotation, scaling, shift, brightness and noise.

    Args:
        rotation: maximum rotation in degrees, in both directions.
        scale: maximum enlargement or reduction, as a share of the size.
        shift: maximum shift along each axis, as a share of the side.
        brightness: maximum change of scale and of offset of the normalised values.
        noise: maximum standard deviation of the noise added to the normalised values.
    """

    rotation: Strength = 0.0
    scale: Strength = 0.0
    shift: Strength = 0.0
    brightness: Strength = 0.0
    noise: Strength = 0.0

    def __call__(self, images: Tensor) -> Tensor:
        """Augment normalised images (N, C, H, W); the shape stays."""
        count, device = len(images), images.device

        def uniform(*shape: int) -> Tensor:
            return torch.rand(count, *shape, device=device) * 2 - 1

        angle = uniform() * math.radians(self.rotation)
        size = torch.exp(uniform() * math.log1p(self.scale))
        cosine, sine = angle.cos() / size, angle.sin() / size
        move = uniform(2) * 2 * self.shift  # an image spans -1 to 1
        aspect = images.shape[3] / images.shape[2]  # both sides span -1 to 1
        matrix = [cosine, -sine / aspect, move[:, 0], sine * aspect, cosine, move[:, 1]]
        grid = F.affine_grid(torch.stack(matrix, 1).view(count, 2, 3), list(images.shape), align_corners=False)
        # Reflection padding: a visible border would reveal the rotation to the network.
        images = F.grid_sample(images, grid, padding_mode="reflection", align_corners=False)
        images = images * (1 + self.brightness * uniform(1, 1, 1)) + self.brightness * uniform(1, 1, 1)
        strength = self.noise * torch.rand(count, 1, 1, 1, device=device)
        return images + strength * torch.randn_like(images)


@dataclass(frozen=True)
class CropFlipCutout:
    """Random shift, horizontal flip and cutout, usual for small photographs.

    Args:
        shift: maximum shift along each axis in pixels, with reflection padding.
        flip: whether half of the images are mirrored left to right.
        cutout: side in pixels of a square at a random position that is set to the mean; 0: none (DeVries and Taylor
            2017, arXiv:1708.04552).
    """

    shift: Annotated[int, Ge(0)] = 0
    flip: bool = False
    cutout: Annotated[int, Ge(0)] = 0

    def check(self, shape: Sequence[int]) -> None:
        """Raise InputError if images (…, H, W) are too small for `shift`, which reflection padding limits."""
        if self.shift >= min(shape[-2:]):
            raise InputError(
                f"data.augmentation.shift={self.shift}: give 0 to {min(shape[-2:]) - 1},"
                f" less than a side of pictures of {list(shape)}"
            )

    def __call__(self, images: Tensor) -> Tensor:
        """Augment normalised images (N, C, H, W); the shape stays."""
        if self.shift or self.flip:
            images = self.moved(images)
        return self.erased(images) if self.cutout else images

    def moved(self, images: Tensor) -> Tensor:
        """Crop and flip with a single gather: rows and columns of each image, padded by `shift`."""
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
        """Erase a square around a random point of each image; a part of it may lie outside."""
        count, _, height, width = images.shape

        def inside(side: int) -> Tensor:  # (N, side): which rows or columns the square covers
            first = torch.randint(side, (count, 1), device=images.device) - self.cutout // 2
            place = torch.arange(side, device=images.device)
            return (place >= first) & (place < first + self.cutout)

        return images.masked_fill((inside(height)[:, :, None] & inside(width)[:, None])[:, None], 0.0)
