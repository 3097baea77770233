"""Quantities that go round: points on a circle, whose mean is where their centre of mass lies."""

import math

import torch
from torch import Tensor


def sine_and_cosine(turns: Tensor) -> Tensor:
    """(…) whole turns to (…, 2)."""
    angle = turns * (2 * math.pi)
    return torch.stack([angle.sin(), angle.cos()], -1)


def turn_of(sine_cosine: Tensor) -> Tensor:
    """(…, 2) sine and cosine, of any length, to (…) whole turns in [0, 1)."""
    sine, cosine = sine_cosine.unbind(-1)
    turns = torch.atan2(sine, cosine) / (2 * math.pi)
    return turns - turns.floor().clamp(max=0)


def mean_turn(turns: Tensor) -> Tensor:
    """The mean over the first dimension of whole turns (K, …): (…) in [0, 1).

    >>> mean_turn(torch.tensor([0.875, 0.25, 0.5625]))  # not the half way round that lies between the numbers
    tensor(0.5625)
    """
    return turn_of(sine_and_cosine(turns).mean(0))
