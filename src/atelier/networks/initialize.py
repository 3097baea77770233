"""Weight initialization of any network: a function for the weights, and zero for the biases by default."""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn.modules.conv import _ConvNd


class Initializer:
    """Calls `weight` on every parameter of two or more dimensions, and sets the biases of these layers to zero.

    Layers without such a parameter, like batch norm, keep their default initialization. If `weight` is None, all
    layers do.

    Args:
        weight: fills a tensor in place, as the functions of `torch.nn.init` do.
        convolutions_only: initialize convolutions only.
        zero_biases: set biases to zero; otherwise they keep their default initialization.
    """

    def __init__(
        self,
        weight: Callable[[Tensor], object] | None,
        convolutions_only: bool = False,
        zero_biases: bool = True,
    ) -> None:
        self.weight, self.convolutions_only, self.zero_biases = weight, convolutions_only, zero_biases

    @torch.no_grad()
    def __call__(self, network: nn.Module) -> None:
        if self.weight is None:
            return
        for module in network.modules():
            if self.convolutions_only and not isinstance(module, _ConvNd):
                continue
            parameters = list(module.parameters(recurse=False))
            if not any(parameter.dim() > 1 for parameter in parameters):
                continue
            for parameter in parameters:
                if parameter.dim() > 1:
                    self.weight(parameter)
                elif self.zero_biases:
                    parameter.zero_()
