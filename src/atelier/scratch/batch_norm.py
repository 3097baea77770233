"""Batch normalization (Ioffe and Szegedy, 2015)."""

import torch
from torch import Tensor

from atelier.errors import InputError
from atelier.scratch.module import Buffer, Module, Parameter


class BatchNorm(Module):
    """Normalizes each feature of (N, C) or (N, C, H, W) to mean 0 and variance 1, then scales and shifts it.

    In training, mean and variance are those of the batch, and running estimates follow them; evaluation uses the
    running estimates. As in torch, a feature is normalized by the variance over its M values (M = N or N·H·W), and the
    running variance follows the unbiased variance, M / (M − 1) times as large.

    Args:
        num_features: number of features C.
        momentum: weight of the batch's mean and variance in the update of the running estimates, 0 to 1.
        eps: added to the variance, which may be 0.

    >>> BatchNorm(1)(torch.tensor([[1.0], [5.0]]))
    tensor([[-1.0000],
            [ 1.0000]])
    """

    def __init__(self, num_features: int, momentum: float = 0.1, eps: float = 1e-5) -> None:
        self.momentum, self.eps = momentum, eps
        self.weight, self.bias = Parameter(torch.ones(num_features)), Parameter(torch.zeros(num_features))  # γ, β (C,)
        self.running_mean, self.running_var = Buffer(torch.zeros(num_features)), Buffer(torch.ones(num_features))

    def forward(self, inputs: Tensor) -> Tensor:
        """x̂ = (x − μ) / σ with σ = √(variance + ε), y = γ x̂ + β."""
        self.over = [dim for dim in range(inputs.dim()) if dim != 1]  # all dimensions but the features
        self.shape = [-1 if dim == 1 else 1 for dim in range(inputs.dim())]  # broadcasts (C,) to the inputs
        mean, var = (
            self.batch_statistics(inputs) if self.training else (self.running_mean.value, self.running_var.value)
        )
        self.std = (var + self.eps).sqrt()
        self.normalized = (inputs - mean.view(self.shape)) / self.std.view(self.shape)
        return self.weight.value.view(self.shape) * self.normalized + self.bias.value.view(self.shape)

    def backward(self, grad: Tensor) -> Tensor:
        """With g = ∂L/∂y and sums and means over the M values of a feature: ∂L/∂γ = Σ g x̂, ∂L/∂β = Σ g.

        In evaluation μ and σ are constants, so ∂L/∂x = γ/σ · g. In training they depend on every x, which removes the
        components of g along their gradients: ∂L/∂x = γ/σ · (g − mean(g) − x̂ · mean(g x̂)).
        """
        self.weight.grad = (grad * self.normalized).sum(self.over)
        self.bias.grad = grad.sum(self.over)
        if self.training:
            count = grad.numel() / len(self.bias.grad)  # M
            along = self.bias.grad.view(self.shape) + self.normalized * self.weight.grad.view(self.shape)
            grad = grad - along / count
        return grad * (self.weight.value / self.std).view(self.shape)

    def batch_statistics(self, inputs: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and variance (C,) of each feature in this batch; also updates the running estimates."""
        count = inputs.numel() // inputs.shape[1]  # M
        if count < 2:
            raise InputError("batch norm needs two samples or more in a training batch: one has no variance")
        mean, var = inputs.mean(self.over), inputs.var(self.over, correction=0)
        self.running_mean.value.lerp_(mean, self.momentum)
        self.running_var.value.lerp_(var * count / (count - 1), self.momentum)
        return mean, var
