"""Weight initialization of any network: a function for the weights, and zero for the biases by default."""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn.modules.conv import _ConvNd

# Words in the names of parameters that are no layer's weights, as in torchvision's ConvNeXt, Swin and transformers.
OTHERS = {"scale", "token", "pos", "position", "positions", "bias"}


class Initializer:
    """Calls `weight` on every layer's weights, and sets the biases of these layers to zero.

    Weights are parameters of two or more dimensions, unless their names say that they are scales, positions, tokens or
    tables of biases. Layers without weights, like batch norm, keep their default initialization. If `weight` is None,
    all layers do.

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
            parameters = dict(module.named_parameters(recurse=False))
            weights = {name for name, parameter in parameters.items() if is_weight(name, parameter)}
            for name, parameter in parameters.items() if weights else ():
                if name in weights:
                    self.weight(parameter)
                elif self.zero_biases and parameter.dim() < 2:
                    parameter.zero_()


def is_weight(name: str, parameter: Tensor) -> bool:
    return parameter.dim() > 1 and ("weight" in name or OTHERS.isdisjoint(name.split("_")))
