"""What a network gives is compared, once, with what its task reads: more outputs than classes train without a word."""

from typing import Any

from torch import Tensor, nn

from atelier.errors import InputError


def look_at_first_output(network: nn.Module, count: int, setting: str) -> None:
    """Have a network's first output refused if it is not `count` numbers for an input, as a `setting` needs them.

    Raises:
        InputError: at that output.
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
