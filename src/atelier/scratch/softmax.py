"""Softmax: turns logits into probabilities."""

from torch import Tensor

from atelier.scratch.module import Module


def softmax(logits: Tensor) -> Tensor:
    """exp(zᵢ) / Σⱼ exp(zⱼ) in each row of logits (N, C).

    The row's maximum is subtracted first. It cancels in the fraction, and no exponential exceeds 1.

    >>> import torch
    >>> softmax(torch.tensor([[0.0, 1000.0]]))
    tensor([[0., 1.]])
    """
    powers = (logits - logits.amax(1, keepdim=True)).exp()
    return powers / powers.sum(1, keepdim=True)


class Softmax(Module):
    """Turns each row (N, C) into probabilities. `CrossEntropy` contains a softmax: a network with that loss needs none.

    >>> import torch
    >>> Softmax()(torch.tensor([[2.0, 2.0]]))
    tensor([[0.5000, 0.5000]])
    """

    def forward(self, inputs: Tensor) -> Tensor:
        """yᵢ = exp(xᵢ) / Σⱼ exp(xⱼ)."""
        self.outputs = softmax(inputs)
        return self.outputs

    def backward(self, grad: Tensor) -> Tensor:
        """Every output depends on every input, ∂yⱼ/∂xᵢ = yⱼ (δᵢⱼ − yᵢ), so ∂L/∂xᵢ = yᵢ (gᵢ − Σⱼ gⱼ yⱼ)."""
        return self.outputs * (grad - (grad * self.outputs).sum(1, keepdim=True))
