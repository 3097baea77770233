"""Convolutions of stride 2, each of which halves the sides of an image."""

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from atelier.errors import InputError


class GaussianNoise(nn.Module):
    """Adds Gaussian noise of standard deviation `std` in training; inputs of any shape."""

    def __init__(self, std: float) -> None:
        super().__init__()
        self.std = std

    def forward(self, inputs: Tensor) -> Tensor:
        if not (self.training and self.std):
            return inputs
        noise = torch.empty_like(inputs)
        noise.as_strided((noise.numel(),), (1,)).normal_()  # in memory's order: channels-last 6 times as fast
        return inputs.add(noise, alpha=self.std)

    def extra_repr(self) -> str:
        return f"std={self.std}"


def halved(side: int, depth: int) -> list[int]:
    """A side in pixels before and after each of `depth` convolutions of stride 2 with 'same' padding.

    >>> halved(28, 3)
    [28, 14, 7, 4]
    """
    sides = [side]
    for _ in range(depth):
        sides.append(math.ceil(sides[-1] / 2))
    return sides


def check_picture(network: nn.Module, shape: Sequence[int], depth: int) -> None:
    """
    Raises:
        InputError: if `shape` is not that of an image, or the image is too small for `depth` halvings.
    """
    name = type(network).__name__
    if len(shape) != 3:
        raise InputError(f"data.shape={list(shape)}: {name} is for pictures [channels, height, width]")
    most = max(1, math.ceil(math.log2(min(shape[1:]))))  # until the smaller side is one pixel
    if depth > most:
        raise InputError(f"depth={depth}: with data.shape={list(shape)}, {name} takes a depth from 1 to {most}")


def strided(
    in_shape: Sequence[int], channels: int, depth: int, noise: float, activation: Callable[[], nn.Module]
) -> tuple[nn.Sequential, int]:
    """`depth` times a 3×3 convolution of stride 2, an activation and noise, then flattening; and the output's size.

    Args:
        in_shape: (C, H, W) of an image.
        channels: number of filters of each convolution.
        depth: number of convolutions.
        noise: standard deviation of the Gaussian noise after each layer in training; 0: none.
        activation: makes an activation.
    """
    layers: list[nn.Module] = []
    before = in_shape[0]
    for _ in range(depth):
        layers += [nn.Conv2d(before, channels, 3, stride=2, padding=1), activation()]
        layers += [GaussianNoise(noise)] * (noise > 0)
        before = channels
    height, width = (halved(side, depth)[-1] for side in in_shape[1:])
    return nn.Sequential(*layers, nn.Flatten()), channels * height * width
