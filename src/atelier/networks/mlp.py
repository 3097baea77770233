"""A multilayer perceptron with any number of hidden layers."""

import math
from collections.abc import Callable, Sequence

from torch import Tensor, nn

from atelier.networks.batch_norm import BatchNorm
from atelier.networks.dense import dense
from atelier.networks.sizes import Dropout, Size


class MLP(nn.Module):
    """Inputs (N, *in_shape) in, logits (N, num_classes) out.

    Args:
        in_shape: shape of an input.
        num_classes: size of the output.
        hidden: sizes of the hidden layers; [] makes a linear classifier.
        dropout: share of each hidden layer's units dropped in training.
        batch_norm: batch norm before each activation: true, or keras for Keras's defaults.
        activation: makes an activation.
        initializer: initializes the whole network, once.
    """

    def __init__(
        self,
        in_shape: Sequence[int],
        num_classes: Size,
        hidden: Sequence[Size],
        dropout: Dropout,
        batch_norm: BatchNorm,
        activation: Callable[[], nn.Module],
        initializer: Callable[[nn.Module], None],
    ) -> None:
        super().__init__()
        size = math.prod(in_shape)
        self.layers = nn.Sequential(nn.Flatten(), *dense(size, hidden, num_classes, dropout, activation, batch_norm))
        initializer(self)

    def forward(self, inputs: Tensor) -> Tensor:
        return self.layers(inputs)
