"""Flattens feature maps to rows."""

from torch import Tensor

from atelier.scratch.module import Module


class Flatten(Module):
    """Turns each sample into a row; stands between convolutions and fully connected layers.

    >>> import torch
    >>> Flatten()(torch.zeros(2, 3, 4, 4)).shape
    torch.Size([2, 48])
    """

    def forward(self, inputs: Tensor) -> Tensor:
        """(N, …) to (N, D), with D numbers per sample."""
        self.shape = inputs.shape
        return inputs.reshape(len(inputs), -1)

    def backward(self, grad: Tensor) -> Tensor:
        """The same numbers in the shape of the inputs: (N, D) to (N, …)."""
        return grad.reshape(self.shape)
