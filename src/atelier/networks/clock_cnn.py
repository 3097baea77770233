"""The Leiden course's CNN for telling the time: its Fashion-MNIST CNN with larger strides in the early layers.

Convolutions 64 7×7, 2× 128 3×3 and 2× 256 3×3 with 'same' padding, max pooling after each group, then a dense branch
per output, each with two hidden layers. The report does not give the strides; ours are in the configuration.
"""

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn


class ClockCNN(nn.Module):
    """Pictures (N, C, H, W) in, outputs (N, Σoutputs) out.

    Args:
        in_shape: (C, H, W) of a picture.
        outputs: size of each dense branch's output; the branches are concatenated.
        strides: stride of the first convolution in each of the three groups.
        hidden: sizes of a dense branch's hidden layers.
        dropout: share of a hidden layer's units dropped in training.
        batch_norm: batch norm after every convolution, before its activation.
        activation: makes the activation of the convolutional part.
        dense_activation: makes the activation of the dense part.
        initializer: initializes the whole network, once.
    """

    def __init__(
        self,
        in_shape: Sequence[int],
        outputs: Sequence[int],
        strides: Sequence[int],
        hidden: Sequence[int],
        dropout: float,
        batch_norm: bool,
        activation: Callable[[], nn.Module],
        dense_activation: Callable[[], nn.Module],
        initializer: Callable[[nn.Module], None],
    ) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        channels, *sides = in_shape
        for (kernel, *group), stride in zip([(7, 64), (3, 128, 128), (3, 256, 256)], strides, strict=True):
            for width, step in zip(group, (stride, 1), strict=False):
                layers.append(nn.Conv2d(channels, width, kernel, step, padding=kernel // 2))
                layers += [nn.BatchNorm2d(width)] * batch_norm + [activation()]
                channels = width
            layers.append(nn.MaxPool2d(2))
            sides = [math.ceil(side / stride) // 2 for side in sides]
        self.features = nn.Sequential(*layers, nn.Flatten())
        size = channels * math.prod(sides)
        self.branches = nn.ModuleList(
            dense_branch(size, hidden, output, dropout, dense_activation) for output in outputs
        )
        initializer(self)
        self.to(memory_format=torch.channels_last)  # convolutions take half the time on a processor

    def forward(self, images: Tensor) -> Tensor:
        features = self.features(images)
        return torch.cat([branch(features) for branch in self.branches], dim=1)


def dense_branch(
    size: int, hidden: Sequence[int], output: int, dropout: float, activation: Callable[[], nn.Module]
) -> nn.Sequential:
    """Linear, activation and dropout for each hidden size, then a linear output."""
    layers: list[nn.Module] = []
    for width in hidden:
        layers += [nn.Linear(size, width), activation(), nn.Dropout(dropout)]
        size = width
    return nn.Sequential(*layers, nn.Linear(size, output))
