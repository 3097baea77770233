"""Checks the shape of a network's first output: with more outputs than classes, training would not fail by itself."""

from typing import Any

from torch import Tensor, nn

from atelier.errors import InputError


def look_at_first_output(network: nn.Module, count: int, setting: str) -> None:
    """Check the shape of the network's next output, which must be (N, count), as `setting` requires.

    Raises:
        InputError: at that output, if it has another shape.
    """

    def look(network: nn.Module, inputs: Any, output: Any) -> None:
        handle.remove()
        name = type(network).__name__
        if not isinstance(output, Tensor):
            kind = type(output).__name__
            raise InputError(
                f"network: {name} gives a {kind}; {setting} needs one tensor of {count} outputs for an input"
            )
        if tuple(output.shape[1:]) != (count,):
            given = " × ".join(map(str, output.shape[1:]))
            raise InputError(f"network: {name} gives {given} outputs for an input; {setting} needs {count}")

    handle = network.register_forward_hook(look)
