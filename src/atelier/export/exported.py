"""What is exported: a module with raw inputs in and a task's outputs out, with the data set's preprocessing inside."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from atelier.data.images import ImageData
from atelier.data.tensors import TensorData
from atelier.tasks.task import Task

Run = Callable[[Tensor], tuple[Tensor, ...]]  # inputs (N, …) to outputs (N, …)
CHECKED = 64  # maximum number of inputs on which a file is compared with its run


class Exported(nn.Module):
    """Inputs (N, …) as the data set stores them in, the task's outputs out, each (N, …); see `Exportable`.

    Args:
        task: in evaluation mode, with its weights.
        data: the data set, whose `normalise` makes a network's inputs of stored ones.
    """

    def __init__(self, task: Any, data: TensorData) -> None:
        super().__init__()
        self.network = task.export_module()
        self.owners = task, data  # in a tuple, so that they are no part of the file
        self.input_name, self.input_values = task.export_input
        self.output_names: tuple[str, ...] = task.export_outputs
        self.own_inputs: Tensor | None = task.export_inputs(CHECKED)

    def forward(self, inputs: Tensor) -> tuple[Tensor, ...]:
        task, data = self.owners
        return task.export_step(inputs if self.own_inputs is not None else data.normalise(inputs))

    def examples(self) -> tuple[Tensor, str]:
        """Up to CHECKED inputs, and what they are: of the validation set, or made-up images if it is not here."""
        _, data = self.owners
        if self.own_inputs is not None:
            return self.own_inputs, f"{len(self.own_inputs)} {self.input_name}"
        if not isinstance(data, ImageData):
            data.check_source()
        elif not data.cached:
            generator = torch.Generator().manual_seed(0)
            made = torch.randint(256, (CHECKED, *data.shape), dtype=torch.uint8, generator=generator)
            return made, f"{CHECKED} made-up images, since the data are not here"
        data.setup()
        inputs, _ = data.sets["val"][torch.arange(min(CHECKED, len(data.sets["val"])))]
        return inputs, f"{len(inputs)} inputs of the validation set"

    def difference(self, found: tuple[Tensor, ...], expected: tuple[Tensor, ...]) -> float:
        """The largest difference between two outputs of this module, as a share of the largest output or of 1.

        NaN if one of the outputs is NaN.
        """
        differences = self.owners[0].export_differences(found, expected)
        shares = [
            difference.abs().max() / torch.maximum(one.abs().max(), other.abs().max()).clamp(min=1)
            for difference, one, other in zip(differences, found, expected, strict=True)
        ]
        return float(torch.stack(shares).max())


def exported_of(task: Task, data: TensorData) -> Exported:
    """The module that is exported for a task, on the CPU and in evaluation mode."""
    return Exported(task.cpu().eval(), data).eval()
