"""Weight initialization, applied to any network: one rule for all its weights, zero for their biases."""

from collections.abc import Callable

import torch
from torch import Tensor, nn


class Initializer:
    """Calls `weight` on every parameter of two or more dimensions and sets those layers' biases to zero.

    Layers without such a parameter, like batch norm, keep their own initialization; so does everything where
    `weight` is None.

    Args:
        weight: writes into the tensor it is given, as the functions of `torch.nn.init` do.
    """

    def __init__(self, weight: Callable[[Tensor], object] | None) -> None:
        self.weight = weight

    @torch.no_grad()
    def __call__(self, network: nn.Module) -> None:
        if self.weight is None:
            return
        for module in network.modules():
            parameters = list(module.parameters(recurse=False))
            if not any(parameter.dim() > 1 for parameter in parameters):
                continue
            for parameter in parameters:
                if parameter.dim() > 1:
                    self.weight(parameter)
                else:
                    parameter.zero_()
