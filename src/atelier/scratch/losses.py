"""Losses: a number that measures the error of a batch's predictions, and its gradient."""

import torch
from torch import Tensor

from atelier.scratch.softmax import softmax


class Loss:
    """Compares predictions (N, C) with targets (N, C); each `backward` follows a `forward`."""

    def forward(self, prediction: Tensor, target: Tensor) -> Tensor:
        """The loss L of a batch, a scalar."""
        raise NotImplementedError

    def backward(self) -> Tensor:
        """∂L/∂prediction (N, C) at the last forward, of its type, from which a network's backward starts."""
        raise NotImplementedError

    def __call__(self, prediction: Tensor, target: Tensor) -> Tensor:
        return self.forward(prediction, target)


class MSE(Loss):
    """Mean squared error, over samples and columns.

    >>> MSE()(torch.tensor([[1.0, 2.0]]), torch.tensor([[1.0, 4.0]]))
    tensor(2.)
    """

    def forward(self, prediction: Tensor, target: Tensor) -> Tensor:
        """L = 1/(N·C) Σ (y − t)²."""
        self.difference, self.dtype = prediction - target, prediction.dtype
        return self.difference.square().mean()

    def backward(self) -> Tensor:
        """∂L/∂y = 2/(N·C) · (y − t)."""
        return (self.difference * (2 / self.difference.numel())).to(self.dtype)


class CrossEntropy(Loss):
    """Cross-entropy between target distributions (rows that sum to 1, as `one_hot` gives) and the softmax of logits.

    >>> CrossEntropy()(torch.tensor([[0.0, 0.0]]), torch.tensor([[1.0, 0.0]]))
    tensor(0.6931)
    """

    def forward(self, prediction: Tensor, target: Tensor) -> Tensor:
        """L = −1/N Σₙ Σᵢ tᵢ log softmax(z)ᵢ with log softmax(z)ᵢ = (zᵢ − m) − log Σⱼ exp(zⱼ − m).

        The row's maximum m is subtracted first, which does not change the result: no exponential overflows, and
        differences keep their digits beside a large m. Terms with tᵢ = 0 are 0, even if the logarithm is −∞.
        """
        self.logits, self.target = prediction, target
        below = prediction - prediction.amax(1, keepdim=True)
        surprise = below.exp().sum(1, keepdim=True).log() - below  # −log softmax(z)
        return torch.where(target == 0, 0, target * surprise).sum(1).mean()

    def backward(self) -> Tensor:
        """∂L/∂z = 1/N · (softmax(z) − t)."""
        return ((softmax(self.logits) - self.target) / len(self.target)).to(self.logits.dtype)


def one_hot(classes: Tensor, num_classes: int) -> Tensor:
    """Classes (N,) as rows (N, num_classes) with 1 at the class and 0 elsewhere.

    >>> one_hot(torch.tensor([1, 0]), 3)
    tensor([[0., 1., 0.],
            [1., 0., 0.]])
    """
    return torch.eye(num_classes, device=classes.device)[classes]
