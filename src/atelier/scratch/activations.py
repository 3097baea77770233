"""Activations: elementwise functions y = φ(x) of any shape, so that ∂L/∂x = φ′(x) · ∂L/∂y."""

import math

import torch
from torch import Tensor

from atelier.scratch.module import Module


class ReLU(Module):
    """max(0, x).

    >>> ReLU()(torch.tensor([-2.0, 3.0]))
    tensor([0., 3.])
    """

    def forward(self, inputs: Tensor) -> Tensor:
        """y = max(0, x)."""
        self.outputs = inputs.clamp(min=0)
        return self.outputs

    def backward(self, grad: Tensor) -> Tensor:
        """φ′(x) is 1 where x > 0, else 0 (also at 0, where φ has no derivative)."""
        return grad * (self.outputs > 0)


class LeakyReLU(Module):
    """A ReLU with a small slope where x < 0, so that no unit stops learning.

    >>> LeakyReLU(negative_slope=0.5)(torch.tensor([-2.0, 3.0]))
    tensor([-1.,  3.])
    """

    def __init__(self, negative_slope: float = 0.01) -> None:
        self.negative_slope = negative_slope

    def forward(self, inputs: Tensor) -> Tensor:
        """y = x where x > 0, else a·x with the slope a."""
        self.positive = inputs > 0
        return torch.where(self.positive, inputs, self.negative_slope * inputs)

    def backward(self, grad: Tensor) -> Tensor:
        """φ′(x) is 1 where x > 0, else a."""
        return torch.where(self.positive, grad, self.negative_slope * grad)


class Tanh(Module):
    """The hyperbolic tangent, from −1 to 1.

    >>> Tanh()(torch.tensor([0.0, 100.0]))
    tensor([0., 1.])
    """

    def forward(self, inputs: Tensor) -> Tensor:
        """y = tanh(x) = (eˣ − e⁻ˣ) / (eˣ + e⁻ˣ)."""
        self.outputs = inputs.tanh()
        return self.outputs

    def backward(self, grad: Tensor) -> Tensor:
        """φ′(x) = 1 − y²."""
        return grad * (1 - self.outputs.square())


class Sigmoid(Module):
    """The logistic function, from 0 to 1.

    >>> Sigmoid()(torch.tensor([0.0, 100.0]))
    tensor([0.5000, 1.0000])
    """

    def forward(self, inputs: Tensor) -> Tensor:
        """y = 1 / (1 + e⁻ˣ), with a bound of −x, where autograd would take an infinity times 0."""
        bound = int(math.log(torch.finfo(inputs.dtype).max))
        self.outputs = 1 / (1 + (-inputs).clamp(max=bound).exp())
        return self.outputs

    def backward(self, grad: Tensor) -> Tensor:
        """φ′(x) = y (1 − y)."""
        return grad * self.outputs * (1 - self.outputs)
