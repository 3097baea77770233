"""The base class of layers: a function with a forward and a backward pass, and the tensors that it holds."""

from collections.abc import Mapping
from typing import Self

import torch
from torch import Tensor

from atelier.errors import InputError


class Buffer:
    """A tensor of a module, which is saved with the module and moves with it to another device."""

    def __init__(self, value: Tensor) -> None:
        self.value = value

    def to(self, target: torch.device | torch.dtype | str) -> None:
        self.value = self.value.to(target)


class Parameter(Buffer):
    """A learned tensor. The backward of its module writes ∂L/∂value into `grad`, and replaces the previous gradient."""

    def __init__(self, value: Tensor) -> None:
        super().__init__(value)
        self.grad = torch.zeros_like(value)

    def to(self, target: torch.device | torch.dtype | str) -> None:
        super().to(target)
        self.grad = self.grad.to(target)


class Module:
    """A function of a batch. `forward` stores values for `backward`, so each `backward` follows a `forward`."""

    training = True

    def forward(self, inputs: Tensor) -> Tensor:
        """The outputs (N, …) for inputs (N, …)."""
        raise NotImplementedError

    def backward(self, grad: Tensor) -> Tensor:
        """∂L/∂inputs, given `grad` = ∂L/∂outputs at the last forward; also writes ∂L/∂p for each parameter p."""
        raise NotImplementedError

    def __call__(self, inputs: Tensor) -> Tensor:
        return self.forward(inputs)

    def train(self, training: bool = True) -> Self:
        """Set training or evaluation mode, which differ for batch norm and dropout."""
        self.training = training
        return self

    def eval(self) -> Self:
        return self.train(False)

    def buffers(self) -> dict[str, Buffer]:
        """All tensors of the module, learned or not, by the names of their attributes."""
        return {name: item for name, item in vars(self).items() if isinstance(item, Buffer)}

    def parameters(self) -> dict[str, Parameter]:
        """The learned tensors of the module."""
        return {name: item for name, item in self.buffers().items() if isinstance(item, Parameter)}

    def to(self, target: torch.device | torch.dtype | str) -> Self:
        """Move to a device, or to another precision."""
        for item in self.buffers().values():
            item.to(target)
        return self

    def state(self) -> dict[str, Tensor]:
        """The tensors for a checkpoint, not copied."""
        return {name: item.value for name, item in self.buffers().items()}

    def load_state(self, state: Mapping[str, Tensor]) -> None:
        """Load the `state` of an equal module.

        Raises:
            InputError: if names or shapes differ.
        """
        copy_into(self.state(), state)


def copy_into(own: Mapping[str, Tensor], saved: Mapping[str, Tensor]) -> None:
    """Copy saved tensors into tensors of the same names.

    Raises:
        InputError: if names or shapes differ.
    """
    shapes = {name: tuple(tensor.shape) for name, tensor in own.items()}
    found = {name: tuple(tensor.shape) for name, tensor in saved.items()}
    for name in sorted(shapes.keys() | found.keys()):
        if shapes.get(name) != found.get(name):
            expected, got = shapes.get(name, "nothing"), found.get(name, "nothing")
            raise InputError(f"the saved state does not fit: {name} is {got} in it, {expected} here")
    for name, tensor in own.items():
        tensor.copy_(saved[name])
