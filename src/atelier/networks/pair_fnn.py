"""A fully connected network that compares two digits (EE559 report)."""

import math
from collections.abc import Callable, Sequence
from typing import Any

from torch import nn

from atelier.networks.dense import dense
from atelier.networks.pair import PairNetwork
from atelier.networks.sizes import Dropout, Size


class PairFNN(PairNetwork):
    """A `PairNetwork` that reads each digit with hidden layers, with batch norm before each activation.

    Args:
        in_shape: (2, H, W) of a pair.
        num_classes: number of different digits.
        hidden: sizes of the hidden layers that read a digit.
        dropout: share of each of these layers' units dropped in training.
        activation: makes an activation.
        **options: see `PairNetwork`.
    """

    def __init__(
        self,
        in_shape: Sequence[int],
        num_classes: Size,
        hidden: Sequence[Size],
        dropout: Dropout,
        activation: Callable[[], nn.Module],
        **options: Any,
    ) -> None:
        size = math.prod(in_shape[1:])

        def reader() -> nn.Module:
            return nn.Sequential(nn.Flatten(), *dense(size, hidden, num_classes, dropout, activation, batch_norm=True))

        super().__init__(in_shape, num_classes, reader, activation=activation, **options)
