"""Finds the convolutions of a network and the layers that output their activations."""

import itertools
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from atelier.errors import InputError

Kind = TypeVar("Kind")
# Layers that may stand between a convolution and its activation function.
BETWEEN = (nn.BatchNorm2d, nn.SyncBatchNorm, nn.GroupNorm, nn.InstanceNorm2d, nn.Dropout, nn.Dropout2d, nn.Identity)


@dataclass(frozen=True)
class Call:
    """A call of a layer without children in a forward pass: input (N, …), output (N, …).

    `number` is its place among the layer's own calls, from 0: many networks use one activation function several times.
    """

    name: str
    layer: nn.Module
    number: int
    input: Tensor
    output: Tensor


@dataclass(frozen=True)
class Site:
    """A convolution, and the layer that outputs its activations.

    Args:
        name: the convolution's name in `named_modules`.
        layer: the activation function that follows, possibly after normalisation or dropout; else the convolution.
        number: which of the layer's calls in a forward pass, from 0.
    """

    name: str
    convolution: nn.Conv2d
    layer: nn.Module
    number: int = 0


def convolutions(network: nn.Module, asker: str) -> list[tuple[str, nn.Conv2d]]:
    """The convolutions of a network with their names, in the order of `named_modules`.

    Raises:
        InputError: if the network has none; the message names the callback `asker`.
    """
    found = [(name, layer) for name, layer in network.named_modules() if isinstance(layer, nn.Conv2d)]
    if not found:
        raise InputError(f"callbacks.{asker}: the network {type(network).__name__} has no convolutions; choose another")
    return found


def one_network(task: Any, asker: str) -> nn.Module:
    """The network of a task, which maps its inputs to outputs.

    Raises:
        InputError: if the task has several, as a GAN has; the message names the callback `asker`.
    """
    if isinstance(task.network, nn.ModuleDict):
        parts = " and ".join(task.network)
        raise InputError(f"callbacks.{asker}: only for tasks with one network; {type(task).__name__} has {parts}")
    return task.network


def pick(items: Sequence[Kind], index: int, key: str) -> Kind:
    """The item at an index, from 0, or from the end as -1, -2, …

    Raises:
        InputError: if there is no such item; `key` is the key of the index.
    """
    if not -len(items) <= index < len(items):
        raise InputError(f"{key}={index}: the network has {len(items)} convolutions; give 0 to {len(items) - 1}, or -1")
    return items[index]


def trace(network: nn.Module, inputs: Tensor) -> list[Call]:
    """Run a forward pass; return the calls of all layers without children, in order."""
    names = {layer: name for name, layer in network.named_modules()}
    calls: list[Call] = []

    def note(layer: nn.Module, given: Any, output: Any) -> None:
        if given and isinstance(given[0], Tensor) and isinstance(output, Tensor):
            number = sum(call.layer is layer for call in calls)
            calls.append(Call(names[layer], layer, number, given[0], output))

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
    """The convolutions among the calls of a forward pass, each with the layer that outputs its activations."""
    found = []
    for index, call in enumerate(calls):
        if isinstance(call.layer, nn.Conv2d):
            following = (later for later in calls[index + 1 :] if not isinstance(later.layer, BETWEEN))
            after = next(following, call)
            own = after.output.shape[1:2] == call.output.shape[1:2]  # not, where its output is joined to others' first
            measured = after if own and is_activation(after.layer) else call
            found.append(Site(call.name, call.layer, measured.layer, measured.number))
    return found


def is_activation(layer: nn.Module) -> bool:
    return type(layer).__module__ == nn.ReLU.__module__


@contextmanager
def listening(places: Sequence[Site], hear: Callable[[int, Tensor], None]) -> Iterator[None]:
    """Inside this context, for one forward pass, the output of `places[index]` is passed to `hear(index, output)`."""

    def hook(index: int, number: int) -> Any:
        calls = itertools.count()

        def listen(layer: nn.Module, given: Any, output: Tensor) -> None:
            if next(calls) == number:
                hear(index, output)

        return listen

    hooks = [place.layer.register_forward_hook(hook(index, place.number)) for index, place in enumerate(places)]
    try:
        yield
    finally:
        for one in hooks:
            one.remove()
