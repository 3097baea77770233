"""A compact CNN for telling the time, small enough for two CPU cores: blocks of convolution, pooling and batch norm."""

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from atelier.networks.blocks import check_picture
from atelier.networks.dense import dense
from atelier.networks.sizes import Dropout, Size


class SmallClockCNN(nn.Module):
    """Images (N, C, H, W) in, outputs (N, Σoutputs) out.

    Args:
        in_shape: (C, H, W) of an image.
        outputs: size of each dense branch's output; the branches are concatenated.
        channels: width of each block: Conv 3×3, max pool 2, batch norm, activation.
        hidden: sizes of a dense branch's hidden layers.
        dropout: share of a hidden layer's units dropped in training.
        activation: makes an activation.
        initializer: initializes the whole network, once.
        dense_activation: makes an activation of the dense part; None makes `activation`.

    Raises:
        InputError: if the images are too small for the number of pools.
    """

    def __init__(
        self,
        in_shape: Sequence[int],
        outputs: Sequence[Size],
        channels: Sequence[Size],
        hidden: Sequence[Size],
        dropout: Dropout,
        activation: Callable[[], nn.Module],
        initializer: Callable[[nn.Module], None],
        dense_activation: Callable[[], nn.Module] | None = None,
    ) -> None:
        super().__init__()
        check_picture("SmallClockCNN", in_shape, 2 ** len(channels))
        layers: list[nn.Module] = []
        depth, *sides = in_shape
        for width in channels:
            # Batch norm has its own bias; after the pool, it and the activation process a quarter of the values.
            layers += [nn.Conv2d(depth, width, 3, padding=1, bias=False), nn.MaxPool2d(2)]
            layers += [nn.BatchNorm2d(width), activation()]
            depth, sides = width, [side // 2 for side in sides]
        self.features = nn.Sequential(*layers, nn.Flatten())
        size = depth * math.prod(sides)
        dense_activation = dense_activation or activation
        self.branches = nn.ModuleList(dense(size, hidden, output, dropout, dense_activation) for output in outputs)
        initializer(self)
        self.to(memory_format=torch.channels_last)  # convolutions take half the time on a CPU

    def forward(self, images: Tensor) -> Tensor:
        features = self.features(images)
        return torch.cat([branch(features) for branch in self.branches], dim=1)
