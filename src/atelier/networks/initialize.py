"""Weight initialization, applied to any network: one rule for its weights, and zero for their biases unless told."""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn.modules.conv import _ConvNd


class Initializer:
    """Calls `weight` on every parameter of two or more dimensions and sets those layers' biases to zero.

    Layers without such a parameter, like batch norm, keep their own initialization; so does everything where
    `weight` is None.

    Args:
        weight: writes into the tensor it is given, as the functions of `torch.nn.init` do.
        convolutions_only: leave all other layers as their classes initialize them.
        zero_biases: or leave the biases as well.
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
