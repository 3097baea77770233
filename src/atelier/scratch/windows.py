"""The square windows of convolution and pooling, and the gradient of their extraction."""

from collections.abc import Sequence

from torch import Tensor


def windows(images: Tensor, size: int, stride: int) -> Tensor:
    """All size×size windows of images (N, C, H, W) at distances of `stride`.

    Returns:
        A view (N, C, H′, W′, size, size), without a copy, with H′ = ⌊(H − size) / stride⌋ + 1, and W′ alike.

    >>> import torch
    >>> windows(torch.arange(4.0).view(1, 1, 1, 4), size=1, stride=2).flatten()
    tensor([0., 2.])
    """
    return images.unfold(2, size, stride).unfold(3, size, stride)


def fold(grads: Tensor, shape: Sequence[int], stride: int) -> Tensor:
    """∂L/∂images of `shape` (N, C, H, W), given `grads` = ∂L/∂windows (N, C, H′, W′, size, size).

    The gradient of a pixel is the sum over all windows that contain it.

    >>> import torch
    >>> fold(torch.ones(1, 1, 2, 2, 2, 2), shape=(1, 1, 3, 3), stride=1)[0, 0]
    tensor([[1., 2., 1.],
            [2., 4., 2.],
            [1., 2., 1.]])
    """
    _, _, height, width, size, _ = grads.shape
    images = grads.new_zeros(shape)
    for i in range(size):
        for j in range(size):
            images[:, :, i : i + stride * height : stride, j : j + stride * width : stride] += grads[..., i, j]
    return images
