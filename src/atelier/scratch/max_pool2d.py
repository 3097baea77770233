"""Max pooling: of each window of an image, the largest number."""

from torch import Tensor

from atelier.scratch.module import Module
from atelier.scratch.windows import fold, windows


class MaxPool2d(Module):
    """Makes images smaller and keeps what stands out: (N, C, H, W) to (N, C, H′, W′).

    Args:
        kernel_size: height and width K of a window.
        stride: from one window to the next; by default K, so that windows do not overlap.

    >>> import torch
    >>> MaxPool2d(2)(torch.tensor([[[[1.0, 2.0, 5.0, 6.0], [3.0, 4.0, 7.0, 8.0]]]]))
    tensor([[[[4., 8.]]]])
    """

    def __init__(self, kernel_size: int, stride: int | None = None) -> None:
        self.kernel_size = kernel_size
        self.stride = stride or kernel_size

    def forward(self, inputs: Tensor) -> Tensor:
        """y = max over each window; of equal numbers the first one counts."""
        self.shape = inputs.shape
        values = windows(inputs, self.kernel_size, self.stride).flatten(4)  # (N, C, H′, W′, K²)
        outputs, self.winners = values.max(4)
        return outputs

    def backward(self, grad: Tensor) -> Tensor:
        """∂y/∂x is 1 at the window's winner and 0 elsewhere: a gradient goes where its maximum came from."""
        size = self.kernel_size
        grads = grad.new_zeros(*grad.shape, size * size)
        grads.scatter_(4, self.winners[..., None], grad[..., None])
        return fold(grads.unflatten(4, (size, size)), self.shape, self.stride)
