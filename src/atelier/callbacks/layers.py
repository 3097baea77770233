"""Finds the convolutions of a network, and where what they found can be read."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from atelier.errors import InputError

Kind = TypeVar("Kind")
# What may stand between a convolution and its activation.
BETWEEN = (nn.BatchNorm2d, nn.SyncBatchNorm, nn.GroupNorm, nn.InstanceNorm2d, nn.Dropout, nn.Dropout2d, nn.Identity)


@dataclass(frozen=True)
class Call:
    """A layer without parts of its own, as a forward pass went through it: (N, …) in, (N, …) out."""

    name: str
    layer: nn.Module
    input: Tensor
    output: Tensor


@dataclass(frozen=True)
class Site:
    """A convolution, and the layer whose output are its activations.

    Args:
        name: of the convolution, as `named_modules` has it.
        layer: the activation that follows, with at most normalisation or dropout in between; else the convolution.
    """

    name: str
    convolution: nn.Conv2d
    layer: nn.Module


def convolutions(network: nn.Module, asker: str) -> list[tuple[str, nn.Conv2d]]:
    """The convolutions of a network with their names, in the order in which it holds them.

    Raises:
        InputError: if it has none; `asker` is the callback that wants some.
    """
    found = [(name, layer) for name, layer in network.named_modules() if isinstance(layer, nn.Conv2d)]
    if not found:
        raise InputError(f"callbacks.{asker}: the network {type(network).__name__} has no convolutions; choose another")
    return found


def pick(items: Sequence[Kind], index: int, key: str) -> Kind:
    """The item at an index that counts from 0, or from the end as -1, -2, …

    Raises:
        InputError: if there is no such one; `key` is where the user gave the index.
    """
    if not -len(items) <= index < len(items):
        raise InputError(f"{key}={index}: the network has {len(items)} convolutions; give 0 to {len(items) - 1}, or -1")
    return items[index]


def trace(network: nn.Module, inputs: Tensor) -> list[Call]:
    """Do a forward pass and tell every layer that it went through, in order."""
    names = {layer: name for name, layer in network.named_modules()}
    calls: list[Call] = []

    def note(layer: nn.Module, given: Any, output: Any) -> None:
        if given and isinstance(given[0], Tensor) and isinstance(output, Tensor):
            calls.append(Call(names[layer], layer, given[0], output))

    leaves = [layer for layer in names if not list(layer.children()) and not isinstance(layer, nn.Sequential)]
    hooks = [layer.register_forward_hook(note) for layer in leaves]
    try:
        with torch.no_grad():
            network(inputs)
    finally:
        for hook in hooks:
            hook.remove()
    return calls


def sites(calls: Sequence[Call]) -> list[Site]:
    """Each convolution that a forward pass went through, with the layer whose output are its activations."""
    found = []
    for index, call in enumerate(calls):
        if isinstance(call.layer, nn.Conv2d):
            following = (later.layer for later in calls[index + 1 :] if not isinstance(later.layer, BETWEEN))
            after = next(following, call.layer)
            found.append(Site(call.name, call.layer, after if is_activation(after) else call.layer))
    return found


def is_activation(layer: nn.Module) -> bool:
    return type(layer).__module__ == nn.ReLU.__module__


@contextmanager
def listening(layers: Sequence[nn.Module], hear: Callable[[int, Tensor], None]) -> Iterator[None]:
    """Inside, the output of the layer at each index of `layers` is told as `hear(index, output)`."""

    def hook(index: int) -> Any:
        return lambda layer, given, output: hear(index, output)

    hooks = [layer.register_forward_hook(hook(index)) for index, layer in enumerate(layers)]
    try:
        yield
    finally:
        for one in hooks:
            one.remove()
