"""Dropout (Srivastava et al., 2014)."""

import torch
from torch import Tensor

from atelier.scratch.module import Module


class Dropout(Module):
    """In training, sets each number to zero with probability p, and scales the others up, so that the mean stays.

    Args:
        p: probability of a zero, 0 ≤ p < 1.
        generator: source of the random numbers; by default torch's global generator.

    >>> Dropout(0.5).eval()(torch.tensor([1.0, 2.0]))
    tensor([1., 2.])
    """

    def __init__(self, p: float = 0.5, generator: torch.Generator | None = None) -> None:
        self.p = p
        self.generator = generator

    def forward(self, inputs: Tensor) -> Tensor:
        """y = m·x; in training m is 1 / (1 − p) with probability 1 − p, else 0; in evaluation m = 1."""
        if not self.training:
            self.mask = torch.ones_like(inputs)
            return inputs
        random = torch.rand(inputs.shape, generator=self.generator, dtype=inputs.dtype, device=inputs.device)
        self.mask = (random >= self.p).to(inputs.dtype) / (1 - self.p)
        return inputs * self.mask

    def backward(self, grad: Tensor) -> Tensor:
        """∂L/∂x = m · ∂L/∂y, with the same m."""
        return grad * self.mask
