"""Softmax: numbers to probabilities."""

from torch import Tensor

from atelier.scratch.module import Module


def softmax(logits: Tensor) -> Tensor:
    """exp(zᵢ) / Σⱼ exp(zⱼ) in each row of logits (N, C).

    A row's largest value m is taken off first. This cancels in the fraction, and no exponential is above 1 then.

    >>> import torch
    >>> softmax(torch.tensor([[0.0, 1000.0]]))
    tensor([[0., 1.]])
    """
    powers = (logits - logits.amax(1, keepdim=True)).exp()
    return powers / powers.sum(1, keepdim=True)


class Softmax(Module):
    """Turns each row (N, C) into probabilities. A network under `CrossEntropy`, which has its own softmax, needs none.

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
