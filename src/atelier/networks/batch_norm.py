"""Batch normalisation with PyTorch's defaults or with Keras's, for reports whose networks were built with Keras."""

from typing import Literal

from torch import nn

BatchNorm = bool | Literal["keras"]  # False: none; True: PyTorch's defaults; "keras": Keras's defaults


def norm(kind: BatchNorm, layer: type[nn.BatchNorm1d | nn.BatchNorm2d], width: int) -> list[nn.Module]:
    """A list with a batch norm layer for `width` channels; an empty list if `kind` is False.

    The momentum of the running statistics is 0.1 in PyTorch and 0.01 in Keras, ε is 1e-5 and 1e-3.

    >>> (layer,) = norm("keras", nn.BatchNorm1d, 8)
    >>> layer.eps, layer.momentum
    (0.001, 0.01)
    """
    if kind == "keras":
        return [layer(width, eps=1e-3, momentum=0.01)]  # Keras's momentum 0.99 is the weight of the old value
    return [layer(width)] if kind else []
