"""Initializers of weights. Each fills a tensor in place and returns it.

A weight (O, I) of a linear layer has fan-in I, the number of inputs of an output, and fan-out O, the number of outputs
that use an input. A kernel (O, C, K, K) has fan-in C·K² and fan-out O·K².
"""

import math

import torch
from torch import Tensor


def zero(weight: Tensor) -> Tensor:
    """0, a bad example: all units of a layer compute the same value and get the same gradient, so they stay equal."""
    return weight.zero_()


def normal(weight: Tensor, std: float = 0.05, generator: torch.Generator | None = None) -> Tensor:
    """Normal with mean 0 and standard deviation `std`; random numbers from `generator`, or torch's global generator."""
    return weight.normal_(0.0, std, generator=generator)


def he(weight: Tensor, generator: torch.Generator | None = None) -> Tensor:
    """Normal with variance 2 / fan-in: activations keep their scale through layers of ReLU (He et al., 2015)."""
    fan_in, _ = fans(weight)
    return normal(weight, math.sqrt(2 / fan_in), generator)


def xavier(weight: Tensor, generator: torch.Generator | None = None) -> Tensor:
    """Normal with variance 2 / (fan-in + fan-out), for tanh: a compromise of forward and backward (Glorot, 2010)."""
    return normal(weight, math.sqrt(2 / sum(fans(weight))), generator)


def fans(weight: Tensor) -> tuple[int, int]:
    """Fan-in and fan-out of a weight (O, I) or (O, C, K, K).

    >>> fans(torch.empty(8, 3, 5, 5))
    (75, 200)
    """
    outputs, inputs, *kernel = weight.shape
    return inputs * math.prod(kernel), outputs * math.prod(kernel)
