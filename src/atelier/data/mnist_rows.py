"""MNIST as sequences of rows or of pixels (ELEC576 report, assignment 2)."""

import math
from typing import Any, Literal

import torch
from torch import Tensor

from atelier.data.images import Side
from atelier.data.vision import VisionData
from atelier.errors import InputError

PERMUTATION_SEED = 0


class MnistRows(VisionData):
    """Inputs (N, steps, features) float. The images are those of `data=mnist`, with its cache file.

    Args:
        shape: (steps, features) of a sequence: [28, 28] reads row by row, [784, 1] pixel by pixel.
        image_shape: (C, H, W) of an image.
        permuted: whether a fixed permutation is applied to the pixels of all images.
        **options: see `VisionData`.
    """

    def __init__(
        self,
        shape: tuple[Side, Side],
        image_shape: tuple[Side, Side, Side],
        permuted: bool,
        augment: Literal[False],
        **options: Any,
    ) -> None:
        super().__init__(shape=image_shape, augment=augment, **options)
        size = math.prod(image_shape)
        if math.prod(shape) != size:
            raise InputError(f"data.shape={list(shape)}: give the steps and the numbers in each, {size} in all")
        if self.mixing is not None:
            raise InputError("mixing: it mixes pictures, and not their rows or pixels; leave mixing out")
        self.image_shape, self.sequence_shape = tuple(image_shape), tuple(shape)
        generator = torch.Generator().manual_seed(PERMUTATION_SEED)
        self.order = torch.randperm(size, generator=generator) if permuted else None

    def normalise(self, images: Tensor) -> Tensor:
        """Convert uint8 images (N, C, H, W) to sequences (N, steps, features)."""
        pixels = super().normalise(images).flatten(1)
        if self.order is not None:
            self.order = self.order.to(pixels.device)
            pixels = pixels.index_select(1, self.order)
        return pixels.unflatten(1, self.sequence_shape)

    def picture(self, sequences: Tensor) -> Tensor:
        """Convert sequences (N, steps, features) back to their images (N, C, H, W), values 0 to 1."""
        pixels = sequences.flatten(1)
        if self.order is not None:
            pixels = pixels[:, self.order.to(pixels.device).argsort()]
        return super().picture(pixels.unflatten(1, self.image_shape))
