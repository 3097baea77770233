"""A convolutional network that compares two digits (EE559 report)."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import nn

from atelier.networks.blocks import Block, convolutions
from atelier.networks.dense import dense
from atelier.networks.pair import PairNetwork
from atelier.networks.sizes import Dropout, Size


class PairCNN(PairNetwork):
    """A `PairNetwork` that reads each digit with blocks of 3×3 convolutions, with batch norm before each activation.

    Args:
        in_shape: (2, H, W) of a pair.
        num_classes: number of different digits.
        blocks: for each block the number of channels of its convolution, or a list of numbers for several; max-pooling
            of size 2 ends each block.
        hidden: sizes of the hidden layers that follow.
        dropout: share of each of these layers' units dropped in training.
        activation: makes an activation.
        **options: see `PairNetwork`.

    Raises:
        InputError: if the inputs are no pairs, or too small for the number of pools.
    """

    def __init__(
        self,
        in_shape: Sequence[int],
        num_classes: Size,
        blocks: Sequence[Size | Sequence[Size]],
        hidden: Sequence[Size],
        dropout: Dropout,
        activation: Callable[[], nn.Module],
        **options: Any,
    ) -> None:
        layout = [Block((widths,) if isinstance(widths, int) else widths) for widths in blocks]

        def reader() -> nn.Module:
            features, size = convolutions("PairCNN", (1, *in_shape[1:]), layout, True, activation)
            return nn.Sequential(
                features, nn.Flatten(), *dense(size, hidden, num_classes, dropout, activation, batch_norm=True)
            )

        super().__init__(in_shape, num_classes, reader, activation=activation, **options)
        self.to(memory_format=torch.channels_last)  # convolutions take half the time on a CPU
