"""The Leiden course's CNN for telling the time: its Fashion-MNIST CNN with larger strides in the early layers.

Convolutions 64 7×7, 2× 128 3×3 and 2× 256 3×3 with 'same' padding, max pooling after each group, then a dense branch
for each output, with two hidden layers. The report does not state the strides; the configuration sets them.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace

import torch
from torch import Tensor, nn

from atelier.networks.batch_norm import BatchNorm
from atelier.networks.blocks import convolutions
from atelier.networks.cnn import BLOCKS
from atelier.networks.dense import dense
from atelier.networks.sizes import Dropout, Size


class ClockCNN(nn.Module):
    """Images (N, C, H, W) in, outputs (N, Σoutputs) out.

    Args:
        in_shape: (C, H, W) of an image.
        outputs: size of each dense branch's output; the branches are concatenated.
        strides: stride of the first convolution in each of the three groups.
        hidden: sizes of a dense branch's hidden layers.
        dropout: share of a hidden layer's units dropped in training.
        batch_norm: batch norm after every convolution, before its activation: true, or keras for Keras's defaults.
        activation: makes the activation of the convolutional part.
        dense_activation: makes the activation of the dense part.
        initializer: initializes the whole network, once.
        output: makes the activation of the outputs; None leaves them linear.

    Raises:
        InputError: if the images are too small for the strides and pools.
    """

    def __init__(
        self,
        in_shape: Sequence[int],
        outputs: Sequence[Size],
        strides: tuple[Size, Size, Size],
        hidden: Sequence[Size],
        dropout: Dropout,
        batch_norm: BatchNorm,
        activation: Callable[[], nn.Module],
        dense_activation: Callable[[], nn.Module],
        initializer: Callable[[nn.Module], None],
        output: Callable[[], nn.Module] | None = None,
    ) -> None:
        super().__init__()
        blocks = [replace(block, stride=stride) for block, stride in zip(BLOCKS, strides, strict=True)]
        features, size = convolutions("ClockCNN", in_shape, blocks, batch_norm, activation)
        self.features = nn.Sequential(*features, nn.Flatten())
        self.branches = nn.ModuleList(dense(size, hidden, width, dropout, dense_activation) for width in outputs)
        self.output = output() if output else nn.Identity()
        initializer(self)
        self.to(memory_format=torch.channels_last)  # convolutions take half the time on a CPU

    def forward(self, images: Tensor) -> Tensor:
        features = self.features(images)
        return self.output(torch.cat([branch(features) for branch in self.branches], dim=1))
