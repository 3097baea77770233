"""The fully connected layer."""

from collections.abc import Callable

import torch
from torch import Tensor

from atelier.scratch.initializers import he
from atelier.scratch.module import Module, Parameter


class Linear(Module):
    """Y = X Wᵀ + b: every output is a weighted sum of all inputs.

    Args:
        in_features, out_features: sizes I of an input row and O of an output row.
        initializer: fills the weights; the biases start at zero.

    >>> layer = Linear(3, 2, initializer=lambda weight: weight.fill_(1.0))
    >>> layer(torch.tensor([[1.0, 2.0, 3.0]]))
    tensor([[6., 6.]])
    """

    def __init__(self, in_features: int, out_features: int, initializer: Callable[[Tensor], object] = he) -> None:
        self.weight = Parameter(torch.empty(out_features, in_features))  # W (O, I)
        self.bias = Parameter(torch.zeros(out_features))  # b (O,)
        initializer(self.weight.value)

    def forward(self, inputs: Tensor) -> Tensor:
        """Yₙₒ = Σᵢ Wₒᵢ Xₙᵢ + bₒ: (N, I) to (N, O)."""
        self.inputs = inputs
        return inputs @ self.weight.value.T + self.bias.value

    def backward(self, grad: Tensor) -> Tensor:
        """With G = ∂L/∂Y (N, O): ∂L/∂W = Gᵀ X, ∂L/∂b = Σₙ Gₙ, ∂L/∂X = G W."""
        self.weight.grad = grad.T @ self.inputs
        self.bias.grad = grad.sum(0)
        return grad @ self.weight.value
