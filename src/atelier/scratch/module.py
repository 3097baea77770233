"""What every layer is: a function with a forward and a backward, and the tensors that it keeps."""

from collections.abc import Mapping
from typing import Self

import torch
from torch import Tensor

from atelier.errors import InputError


class Buffer:
    """A tensor that a module keeps: it is saved with the module and moves with it to another device."""

    def __init__(self, value: Tensor) -> None:
        self.value = value

    def to(self, target: torch.device | torch.dtype | str) -> None:
        self.value = self.value.to(target)


class Parameter(Buffer):
    """A tensor that is learned. The backward of its module writes ∂L/∂value into `grad`, in place of what was there."""

    def __init__(self, value: Tensor) -> None:
        super().__init__(value)
        self.grad = torch.zeros_like(value)

    def to(self, target: torch.device | torch.dtype | str) -> None:
        super().to(target)
        self.grad = self.grad.to(target)


class Module:
    """A function of a batch. It remembers in `forward` what its `backward` needs, so the two are called in turns."""

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
        """Behave as in training, or as in evaluation: batch norm and dropout differ."""
        self.training = training
        return self

    def eval(self) -> Self:
        return self.train(False)

    def buffers(self) -> dict[str, Buffer]:
        """All that the module keeps, learned or not, by the names of its attributes."""
        return {name: item for name, item in vars(self).items() if isinstance(item, Buffer)}

    def parameters(self) -> dict[str, Parameter]:
        """What of it is learned."""
        return {name: item for name, item in self.buffers().items() if isinstance(item, Parameter)}

    def to(self, target: torch.device | torch.dtype | str) -> Self:
        """Move to a device, or to numbers of another precision."""
        for item in self.buffers().values():
            item.to(target)
        return self

    def state(self) -> dict[str, Tensor]:
        """What a checkpoint has to hold: the kept tensors themselves, not copies."""
        return {name: item.value for name, item in self.buffers().items()}

    def load_state(self, state: Mapping[str, Tensor]) -> None:
        """Copy in what `state` of such a module gave.

        Raises:
            InputError: if names or shapes are not this module's.
        """
        copy_into(self.state(), state)


def copy_into(own: Mapping[str, Tensor], saved: Mapping[str, Tensor]) -> None:
    """Copy saved tensors into those of the same names.

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
