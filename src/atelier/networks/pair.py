"""Networks that compare two digits: a reader classifies each digit, a second network compares them (EE559 report)."""

from collections.abc import Callable, Sequence
from typing import Literal

import torch
from torch import Tensor, nn

from atelier.errors import InputError
from atelier.networks.dense import dense
from atelier.networks.sizes import Size


class PairNetwork(nn.Module):
    """Pairs (N, 2, H, W) in; out (N, 2 + 2 · num_classes): logits of first > second and of first ≤ second, then of the
    first digit's classes, then of the second's.

    The comparison takes the softmax probabilities of both digits, concatenated.

    Args:
        in_shape: (2, H, W) of a pair.
        num_classes: number of different digits.
        make_reader: makes a network from digits (N, 1, H, W) to logits (N, num_classes).
        weight_sharing: whether a single network reads both digits, or each digit has its own.
        comparison: "network": a further network; "probabilities": `MostProbable`.
        comparison_hidden: sizes of the hidden layers of the comparing network.
        activation: makes an activation; batch norm precedes each.
        initializer: initializes the whole network, once.

    Raises:
        InputError: if the inputs are no pairs.
    """

    def __init__(
        self,
        in_shape: Sequence[int],
        num_classes: Size,
        make_reader: Callable[[], nn.Module],
        weight_sharing: bool,
        comparison: Literal["network", "probabilities"],
        comparison_hidden: Sequence[Size],
        activation: Callable[[], nn.Module],
        initializer: Callable[[nn.Module], None],
    ) -> None:
        super().__init__()
        if len(in_shape) != 3 or in_shape[0] != 2:
            raise InputError(f"data.shape={list(in_shape)}: a pair is [2, height, width]; give data=digit_pairs")
        self.num_classes = num_classes
        self.readers = nn.ModuleList(make_reader() for _ in range(1 if weight_sharing else 2))
        self.comparison = (
            dense(2 * num_classes, comparison_hidden, 2, 0.0, activation, batch_norm=True)
            if comparison == "network"
            else MostProbable()
        )
        initializer(self)

    def forward(self, pairs: Tensor) -> Tensor:
        digits = self.read(pairs)  # (N, 2, num_classes)
        compared = self.comparison(digits.softmax(2).flatten(1))
        return torch.cat([compared, digits.flatten(1)], 1)

    def read(self, pairs: Tensor) -> Tensor:
        """Class logits (N, 2, num_classes) of both digits."""
        if len(self.readers) == 1:
            return self.readers[0](pairs.flatten(0, 1)[:, None]).unflatten(0, (-1, 2))
        return torch.stack([reader(pairs[:, i : i + 1]) for i, reader in enumerate(self.readers)], 1)


class MostProbable(nn.Module):
    """Two digits' class probabilities (N, 2 · C) to the logarithms (N, 2) of P(first > second) and P(first ≤ second).

    The digits are assumed independent: P(first ≤ second) is the sum of p(a) q(b) over all a ≤ b.

    >>> certain = torch.tensor([[0.0, 1.0, 0.0], [0.0, 0.5, 0.5]])  # first: 1; second: 1 or 2
    >>> MostProbable()(certain.view(1, 6)).exp().round(decimals=3)
    tensor([[0., 1.]])
    """

    def forward(self, probabilities: Tensor) -> Tensor:
        first, second = probabilities.chunk(2, dim=1)
        at_most = (first.cumsum(1) * second).sum(1)
        larger = (first[:, 1:] * second.cumsum(1)[:, :-1]).sum(1)  # 1 - at_most would have no digit left near 0
        return torch.stack([larger, at_most], 1).clamp_min(1e-6).log()
