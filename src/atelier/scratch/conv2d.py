"""The convolution of images with learned kernels."""

from collections.abc import Callable

import torch
from torch import Tensor

from atelier.scratch.initializers import he
from atelier.scratch.module import Module, Parameter
from atelier.scratch.windows import fold, windows


class Conv2d(Module):
    """A linear layer applied to every window of an image: (N, C, H, W) to (N, O, H′, W′).

    Args:
        in_channels, out_channels: C and O.
        kernel_size: height and width K of a window.
        stride: distance of neighbouring windows.
        padding: rows and columns of zeros on each side.
        initializer: fills the weights; the biases start at zero.

    >>> edges = Conv2d(1, 1, kernel_size=2, initializer=lambda w: w.copy_(torch.tensor([[1.0, -1.0], [1.0, -1.0]])))
    >>> edges(torch.tensor([[[[0.0, 0.0, 5.0], [0.0, 0.0, 5.0]]]]))
    tensor([[[[  0., -10.]]]])
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int,
        stride: int = 1,
        padding: int = 0,
        initializer: Callable[[Tensor], object] = he,
    ) -> None:
        self.kernel_size, self.stride, self.padding = kernel_size, stride, padding
        self.weight = Parameter(torch.empty(out_channels, in_channels, kernel_size, kernel_size))  # W (O, C, K, K)
        self.bias = Parameter(torch.zeros(out_channels))  # b (O,)
        initializer(self.weight.value)

    def forward(self, inputs: Tensor) -> Tensor:
        """y[n,o,h,w] = Σ_{c,i,j} P[n,c,h,w,i,j] W[o,c,i,j] + b[o], with P (N, C, H′, W′, K, K) the inputs' windows."""
        padded = self.pad(inputs)
        self.shape = padded.shape
        self.windows = windows(padded, self.kernel_size, self.stride)
        return torch.einsum("nchwij,ocij->nohw", self.windows, self.weight.value) + self.bias.value[:, None, None]

    def backward(self, grad: Tensor) -> Tensor:
        """With g = ∂L/∂y, the same products summed over the other indices:
        ∂L/∂W[o,c,i,j] = Σ_{n,h,w} g[n,o,h,w] P[n,c,h,w,i,j], ∂L/∂b[o] = Σ_{n,h,w} g[n,o,h,w] and
        ∂L/∂P[n,c,h,w,i,j] = Σ_o g[n,o,h,w] W[o,c,i,j]. Then windows are folded to images, and the padding is removed.
        """
        self.weight.grad = torch.einsum("nohw,nchwij->ocij", grad, self.windows)
        self.bias.grad = grad.sum((0, 2, 3))
        grads = torch.einsum("nohw,ocij->nchwij", grad, self.weight.value)
        return self.unpad(fold(grads, self.shape, self.stride))

    def pad(self, images: Tensor) -> Tensor:
        """Pad images (N, C, H, W) with zeros: (N, C, H + 2·padding, W + 2·padding)."""
        n, channels, height, width = images.shape
        padded = images.new_zeros(n, channels, height + 2 * self.padding, width + 2 * self.padding)
        self.unpad(padded).copy_(images)
        return padded

    def unpad(self, padded: Tensor) -> Tensor:
        """A view of padded images without the padding."""
        height, width = padded.shape[2:]
        return padded[:, :, self.padding : height - self.padding, self.padding : width - self.padding]
