"""What is exported: a module with raw inputs in and a task's outputs out, with the data set's preprocessing inside."""

import copy
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, nn

from atelier.data.images import ImageData
from atelier.data.tensors import TensorData
from atelier.tasks.circle import HALF_DAY
from atelier.tasks.clock import ClockReader
from atelier.tasks.gan import GAN
from atelier.tasks.task import Task
from atelier.tasks.vae import VAE

Run = Callable[[Tensor], tuple[Tensor, ...]]  # inputs (N, …) to outputs (N, …)
CHECKED = 64  # maximum number of inputs on which a file is compared with its run


class Exported(nn.Module):
    """Inputs (N, …) as the data set stores them in, the task's outputs out, each (N, …).

    Args:
        task: in evaluation mode, with its weights.
        data: the data set, whose `normalise` makes a network's inputs of stored ones.
    """

    input_name, input_values = "inputs", "as the data set stores them"
    output_names: tuple[str, ...] = ("logits",)

    def __init__(self, task: Any, data: TensorData) -> None:
        super().__init__()
        self.network = task.network
        self.owners = task, copy.copy(data)  # in a tuple, so that they are no part of the file

    def forward(self, inputs: Tensor) -> tuple[Tensor, ...]:
        task, data = self.owners
        return (task(data.normalise(inputs)),)

    def examples(self) -> tuple[Tensor, str]:
        """Up to CHECKED inputs, and what they are: of the validation set, or made-up images if it is not here."""
        _, data = self.owners
        if not isinstance(data, ImageData):
            data.check_source()
        elif data.source == "real" and not data.cached:
            generator = torch.Generator().manual_seed(0)
            made = torch.randint(256, (CHECKED, *data.shape), dtype=torch.uint8, generator=generator)
            return made, f"{CHECKED} made-up images, since the data are not here"
        data.setup()
        inputs, _ = data.sets["val"][torch.arange(min(CHECKED, len(data.sets["val"])))]
        return inputs, f"{len(inputs)} inputs of the validation set"

    def difference(self, found: tuple[Tensor, ...], expected: tuple[Tensor, ...]) -> float:
        """The largest difference between two outputs of this module, as a share of the largest output or of 1."""
        return worst(share(one - other, other) for one, other in zip(found, expected, strict=True))


class ExportedClock(Exported):
    """Images in; the encoding's outputs and the minutes since 12 o'clock out, (N, Σencoding.outputs) and (N,)."""

    output_names = ("outputs", "minutes")

    def forward(self, inputs: Tensor) -> tuple[Tensor, ...]:
        (outputs,) = super().forward(inputs)
        return outputs, self.owners[0].encoding.decode(outputs)

    def difference(self, found: tuple[Tensor, ...], expected: tuple[Tensor, ...]) -> float:
        """On the circle, and with the minutes of the found outputs: the last digit of an output may decide the hour."""
        outputs, minutes = found
        ahead = minutes - self.owners[0].encoding.decode(outputs)
        ahead = (ahead + HALF_DAY / 2).remainder(HALF_DAY) - HALF_DAY / 2
        return worst([share(outputs - expected[0], expected[0]), share(ahead, minutes)])


class ExportedVAE(Exported):
    """Images in; their reconstructions out, from the means of their latents, values 0 to 1."""

    output_names = ("pictures",)

    def forward(self, inputs: Tensor) -> tuple[Tensor, ...]:
        task, data = self.owners
        return (task.reconstruct(data.normalise(inputs)),)


class ExportedGenerator(Exported):
    """Latents (N, latent_size) in, drawn from the standard normal distribution; images out, values 0 to 1."""

    input_name, input_values = "latents", "drawn from the standard normal distribution"
    output_names = ("pictures",)

    def __init__(self, task: Any, data: TensorData) -> None:
        super().__init__(task, data)
        self.network = task.generator

    def forward(self, latents: Tensor) -> tuple[Tensor, ...]:
        return (self.owners[0].pictures(latents),)

    def examples(self) -> tuple[Tensor, str]:
        return self.owners[0].draw_latents(CHECKED, seed=0), f"{CHECKED} latents"


def share(difference: Tensor, of: Tensor) -> Tensor:
    """The largest difference, as a share of the largest of the values `of`, or of 1; NaN if one of them is NaN."""
    return difference.abs().max() / of.abs().max().clamp(min=1)


def worst(shares: Iterable[Tensor]) -> float:
    """The largest share; NaN if one of them is NaN."""
    return float(torch.stack([*shares]).max())


def exported_of(task: Task, data: TensorData) -> Exported:
    """The module that is exported for a task, on the CPU and in evaluation mode."""
    kinds = {ClockReader: ExportedClock, VAE: ExportedVAE, GAN: ExportedGenerator}
    kind = next((exported for known, exported in kinds.items() if isinstance(task, known)), Exported)
    return kind(task.cpu().eval(), data).eval()
