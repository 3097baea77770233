"""Freezes parts of a network: they are not trained, and compute as in evaluation."""

from collections.abc import Sequence

from torch import nn

from atelier.errors import InputError, not_among


def freeze(network: nn.Module, parts: Sequence[str]) -> int:
    """Freeze parts of a network, and return the number of their parameters.

    Their parameters get no gradients, so that an optimizer neither keeps a state for them nor decays them. Batch norm
    in them keeps its statistics, and dropout drops nothing.

    Args:
        parts: names of modules or parameters, such as `features` or `layer1.0`; all below a name is frozen.

    Raises:
        InputError: if a name fits no parameter, or if nothing is left to train.
    """
    for part in parts:
        parameters = [one for name, one in network.named_parameters() if is_part(name, part)]
        if not parameters:
            children = dict.fromkeys(name.partition(".")[0] for name, _ in network.named_parameters())
            raise InputError(f"start.freeze={list(parts)}: the network has {not_among(part, children)}")
        for parameter in parameters:
            parameter.requires_grad_(False)
        for name, module in network.named_modules():
            if is_part(name, part):
                module.eval()
    if parts and not any(parameter.requires_grad for parameter in network.parameters()):
        raise InputError(f"start.freeze={list(parts)}: this leaves nothing to train")
    return sum(parameter.numel() for parameter in network.parameters() if not parameter.requires_grad)


def is_part(name: str, part: str) -> bool:
    return name == part or name.startswith(f"{part}.")
