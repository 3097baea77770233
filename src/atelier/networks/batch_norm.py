"""Batch norm with PyTorch's defaults or with Keras's, which a report that used Keras means where it says no more."""

from typing import Literal

from torch import nn

BatchNorm = bool | Literal["keras"]  # none, PyTorch's, Keras's


def norm(kind: BatchNorm, layer: type[nn.BatchNorm1d | nn.BatchNorm2d], width: int) -> list[nn.Module]:
    """A layer for `width` channels in a list, which is empty for `kind` false.

    At each update PyTorch's running statistics move by 0.1 of the way, Keras's by 0.01; ε is 1e-5 and 1e-3.

    >>> (layer,) = norm("keras", nn.BatchNorm1d, 8)
    >>> layer.eps, layer.momentum
    (0.001, 0.01)
    """
    if kind == "keras":
        return [layer(width, eps=1e-3, momentum=0.01)]  # Keras calls this momentum 0.99: the share that is kept
    return [layer(width)] if kind else []
