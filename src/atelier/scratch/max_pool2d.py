"""Max pooling: the largest number of each window of an image."""

from torch import Tensor

from atelier.scratch.module import Module
from atelier.scratch.windows import fold, windows


class MaxPool2d(Module):
    """Reduces images to the maxima of their windows: (N, C, H, W) to (N, C, H′, W′).

    Args:
        kernel_size: height and width K of a window.
        stride: distance of neighbouring windows; by default K, so that windows do not overlap.

    >>> import torch
    >>> MaxPool2d(2)(torch.tensor([[[[1.0, 2.0, 5.0, 6.0], [3.0, 4.0, 7.0, 8.0]]]]))
    tensor([[[[4., 8.]]]])
    """

    def __init__(self, kernel_size: int, stride: int | None = None) -> None:
        self.kernel_size = kernel_size
        self.stride = stride or kernel_size

    def forward(self, inputs: Tensor) -> Tensor:
        """y = max over each window; among equal numbers, the first is the winner."""
        self.shape = inputs.shape
        values = windows(inputs, self.kernel_size, self.stride).flatten(4)  # (N, C, H′, W′, K²)
        outputs, self.winners = values.max(4)
        return outputs

    def backward(self, grad: Tensor) -> Tensor:
        """∂y/∂x is 1 at the window's winner and 0 elsewhere: the gradient passes to the position of the maximum."""
        size = self.kernel_size
        grads = grad.new_zeros(*grad.shape, size * size)
        grads.scatter_(4, self.winners[..., None], grad[..., None])
        return fold(grads.unflatten(4, (size, size)), self.shape, self.stride)
