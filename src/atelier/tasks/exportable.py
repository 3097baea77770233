"""What `export` writes of a task: the inputs and outputs of the file, and the part of the network that is in it."""

from torch import Tensor, nn


class Exportable(nn.Module):
    """The part of `Task` that a subclass changes where it is exported in another way.

    A file takes inputs (N, …) as the data set stores them, and gives the outputs of `export_step`.
    """

    network: nn.Module
    export_input = "inputs", "as the data set stores them"  # name of a file's input, and what its values are
    export_outputs: tuple[str, ...] = ("outputs",)  # names of the outputs of `export_step`

    def export_step(self, inputs: Tensor) -> tuple[Tensor, ...]:
        """The outputs of a file, (N, …) each, for normalised inputs (N, …)."""
        return (self(inputs),)

    def export_module(self) -> nn.Module:
        """The part of the network that `export_step` uses."""
        return self.network

    def export_inputs(self, count: int) -> Tensor | None:
        """Inputs (count, …) of a file that takes others than the data set's; None: it takes those of the data set."""
        return None

    def export_differences(self, found: tuple[Tensor, ...], expected: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        """How far each output of a file is from that of `export_step` for the same inputs."""
        return tuple(one - other for one, other in zip(found, expected, strict=True))
