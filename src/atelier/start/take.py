"""Takes tensors of equal name and shape into a network, and tells which were taken and which not."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from atelier.errors import InputError

PREFIXES = ("", "network.", "model.", "module.")  # before the names: of no one, Atelier, other Lightning code, DDP
# {part of a name in torchvision's files of DenseNets and vision transformers, which earlier versions wrote: its present
# form}
EARLIER = {
    r"(denselayer\d+\.(?:norm|conv))\.(?=[12]\.)": r"\1",
    r"(?<=mlp\.)linear_1(?=\.)": "0",
    r"(?<=mlp\.)linear_2(?=\.)": "3",
}
FEW = 3  # names in a line


@dataclass(frozen=True)
class Taken:
    """What was taken into a network, by the tensors' names.

    Args:
        taken: the tensors that were taken.
        other: {name: shapes in the file and in the network} of those that differ in shape, or in kind of number.
        missing: the network's tensors that the file lacks.
        left_over: the file's tensors that the network lacks.
    """

    taken: list[str]
    other: dict[str, tuple[list[int], list[int]]]
    missing: list[str]
    left_over: list[str]

    def lines(self, path: Path) -> list[str]:
        """The lines for the terminal."""
        count = len(self.taken) + len(self.other) + len(self.missing)
        shapes = [f"{name} {theirs} → {own}" for name, (theirs, own) in self.other.items()]
        told = {"of another shape": shapes, "not in the file": self.missing, "left over": self.left_over}
        few = [f"{words}: {some(names)}" for words, names in told.items() if names]
        taken = f"start.weights: {len(self.taken)} of the network's {count} tensors are taken from {path}"
        return [taken, *(f"  {line}" for line in few)]

    def record(self) -> dict[str, Any]:
        """The entries for run.json."""
        shapes = {name: {"file": theirs, "network": own} for name, (theirs, own) in self.other.items()}
        return {
            "taken": len(self.taken),
            "other_shape": shapes,
            "missing": self.missing,
            "left_over": len(self.left_over),
        }


@torch.no_grad()
def take(network: nn.Module, weights: Mapping[str, Tensor], path: Path) -> Taken:
    """Copy the tensors of equal name and shape into the network; `path`: their file, for the message.

    Raises:
        InputError: if none fits.
    """
    own = {name: tensor for name, tensor in network.state_dict().items() if isinstance(tensor, Tensor)}
    found = best_named(own, weights)
    taken = [name for name in own if name in found and alike(own[name], found[name])]
    if not any(own[name].dim() for name in taken):  # a counter, as of batch norm, fits any network
        (first, tensor), *_ = own.items()
        theirs, other = next(iter(weights.items()))
        raise InputError(
            f"start.weights={path}: none of its {len(weights)} tensors fits the network by name and shape;\n"
            f"it begins with {theirs} {list(other.shape)}, the network with {first} {list(tensor.shape)}"
        )
    for name in taken:
        own[name].copy_(found[name])
    shared = [name for name in own if name in found and name not in taken]
    return Taken(
        taken=taken,
        other={name: (list(found[name].shape), list(own[name].shape)) for name in shared},
        missing=[name for name in own if name not in found],
        left_over=[name for name in found if name not in own],
    )


def best_named(own: Mapping[str, Tensor], weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The weights under one of PREFIXES, without it: the one with which most of them fit."""
    named = [
        {present(name.removeprefix(prefix), own): tensor for name, tensor in weights.items() if name.startswith(prefix)}
        for prefix in PREFIXES
    ]
    return max(named, key=lambda one: sum(name in own and alike(own[name], one[name]) for name in one))


def present(name: str, own: Mapping[str, Tensor]) -> str:
    """The name without a part of EARLIER, if the network's `own` tensors are named so."""
    found = name
    for earlier, now in EARLIER.items():
        found = re.sub(earlier, now, found)
    return found if found in own else name


def alike(own: Tensor, found: Tensor) -> bool:
    """Whether a tensor can be copied into another: equal shapes, and both are real, complex, or whole numbers."""
    kinds = [(one.shape, one.is_floating_point(), one.is_complex()) for one in (own, found)]
    return kinds[0] == kinds[1]


def some(names: Iterable[str]) -> str:
    """
    >>> some(["a", "b", "c", "d", "e"])
    'a, b, c and 2 more'
    """
    first = list(names)
    return ", ".join(first[:FEW]) + (f" and {len(first) - FEW} more" if len(first) > FEW else "")
