"""The dense part of a network: hidden layers, then a linear output."""

from collections.abc import Callable, Sequence

from torch import nn

from atelier.networks.batch_norm import BatchNorm, norm


def dense(
    size: int,
    hidden: Sequence[int],
    outputs: int,
    dropout: float,
    activation: Callable[[], nn.Module],
    batch_norm: BatchNorm = False,
) -> nn.Sequential:
    """Linear, optional batch norm, activation and dropout for each hidden size, then a linear output.

    Args:
        size: size of an input: (N, size) in, (N, outputs) out.
        hidden: sizes of the hidden layers.
        outputs: size of the output.
        dropout: share of each hidden layer's units dropped in training.
        activation: makes an activation.
        batch_norm: batch norm before each activation: true, or keras for Keras's defaults.
    """
    layers: list[nn.Module] = []
    for width in hidden:
        layers += [nn.Linear(size, width), *norm(batch_norm, nn.BatchNorm1d, width), activation(), nn.Dropout(dropout)]
        size = width
    return nn.Sequential(*layers, nn.Linear(size, outputs))
