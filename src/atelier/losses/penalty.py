"""Penalties on a network's weights, added to the training loss; of one dimension, as biases are, none is penalized."""

from collections.abc import Iterator
from typing import Annotated

import torch
from annotated_types import Ge
from torch import Tensor, nn

from atelier.losses.precision import full


def weights(network: nn.Module) -> Iterator[Tensor]:
    """Parameters of two or more dimensions, in 32 bits or more: weights of layers, embeddings, learned positions."""
    return (full(parameter) for parameter in network.parameters() if parameter.dim() > 1)


def none(network: nn.Module) -> float:
    """No penalty."""
    return 0.0


def l1(network: nn.Module, strength: Annotated[float, Ge(0)]) -> Tensor:
    """strength · Σ|w|, a scalar.

    >>> layer = nn.Linear(2, 1)
    >>> _ = torch.nn.init.constant_(layer.weight, -2.0)
    >>> l1(layer, strength=0.5).item()
    2.0
    """
    return strength * total([weight.abs().sum() for weight in weights(network)])


def l2(network: nn.Module, strength: Annotated[float, Ge(0)]) -> Tensor:
    """strength · Σw², a scalar (Keras's convention, without the factor ½).

    >>> layer = nn.Linear(2, 1)
    >>> _ = torch.nn.init.constant_(layer.weight, -2.0)
    >>> l2(layer, strength=0.5).item()
    4.0
    """
    return strength * total([weight.square().sum() for weight in weights(network)])


def total(sums: list[Tensor]) -> Tensor:
    """The sum of scalars; 0 for a network without weights."""
    return torch.stack(sums).sum() if sums else torch.zeros(())
