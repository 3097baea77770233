"""A multilayer perceptron of scratch layers."""

import math
from collections.abc import Callable, Sequence

from torch import Tensor

from atelier.scratch.activations import ReLU
from atelier.scratch.batch_norm import BatchNorm
from atelier.scratch.dropout import Dropout
from atelier.scratch.flatten import Flatten
from atelier.scratch.initializers import he
from atelier.scratch.linear import Linear
from atelier.scratch.module import Module
from atelier.scratch.sequential import Sequential


class MLP(Sequential):
    """Inputs (N, *in_shape) in, (N, num_classes) out.

    Args:
        in_shape: shape of an input.
        num_classes: size of the output.
        hidden: sizes of the hidden layers.
        dropout: share of each hidden layer's units dropped in training.
        batch_norm: batch norm before each activation.
        activation: makes an activation.
        output: makes the activation of the output; None leaves logits.
        initializer: fills the weights of each linear layer.
    """

    def __init__(
        self,
        in_shape: Sequence[int],
        num_classes: int,
        hidden: Sequence[int],
        dropout: float = 0.0,
        batch_norm: bool = False,
        activation: Callable[[], Module] = ReLU,
        output: Callable[[], Module] | None = None,
        initializer: Callable[[Tensor], object] = he,
    ) -> None:
        layers: list[Module] = [Flatten()]
        size = math.prod(in_shape)
        for width in hidden:
            layers.append(Linear(size, width, initializer))
            if batch_norm:
                layers.append(BatchNorm(width))
            layers.append(activation())
            if dropout:
                layers.append(Dropout(dropout))
            size = width
        layers.append(Linear(size, num_classes, initializer))
        if output:
            layers.append(output())
        super().__init__(*layers)
