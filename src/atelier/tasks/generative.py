"""The base class of generative tasks: latents, and scores of generated images."""

from collections.abc import Mapping
from typing import Annotated, Any

import torch
from annotated_types import Ge, Gt
from torch import Tensor, nn

from atelier.errors import InputError
from atelier.metrics.features import Features
from atelier.metrics.sample_quality import SampleQuality
from atelier.project import command
from atelier.tasks.task import Task

FIXED = 64  # number of latents that stay fixed during the training
OF_THE_TEST = 2**31  # added to the seeds of the test's latents: validation has chosen the epoch by others


class GenerativeTask(Task):
    """Base class of `GAN` and `VAE`. A subclass defines `pictures` and its training, validation and test steps.

    Validation and test generate as many images as there are real images, each always from its own latents, and score
    them (`SampleQuality`).

    Args:
        network: the networks by name; all are trained.
        latent_size: size of a latent; latents are drawn from the standard normal distribution.
        mean, std: mean and standard deviation of the data's normalisation: normalised · std + mean is in 0 to 1.
        features: feature extractor for the scores; None: no scores.
        reference_size: maximum number of real training images for the comparison.
        **options: see `Task`.
    """

    latents: Tensor
    export_outputs = ("pictures",)  # values 0 to 1

    def __init__(
        self,
        network: Mapping[str, nn.Module],
        /,
        latent_size: Annotated[int, Ge(1)],
        mean: float,
        std: Annotated[float, Gt(0)],
        features: Features | None,
        reference_size: Annotated[int, Ge(2)],
        **options: Any,
    ) -> None:
        super().__init__(nn.ModuleDict(network), **options)
        self.latent_size, self.mean, self.std = latent_size, mean, std
        self.quality = None if features is None else SampleQuality(features)
        self.reference_size = reference_size
        self.register_buffer("latents", torch.randn(FIXED, latent_size))  # saved in checkpoints

    @property
    def scored_by(self) -> dict[str, object] | None:
        """The identity of the features that score the images, in plain data; None without scores."""
        return self.quality.features.identity if self.quality else None

    def pictures(self, latents: Tensor) -> Tensor:
        """Generate images (N, *shape), values 0 to 1, from latents (N, latent_size)."""
        raise NotImplementedError

    def forward(self, images: Tensor) -> Tensor:
        raise InputError(
            f"{type(self).__name__} makes pictures, and gives no answers about pictures: {command('sample')} run=…"
        )

    def as_pictures(self, images: Tensor) -> Tensor:
        """Normalised images (N, …) with values scaled to 0 to 1."""
        return images * self.std + self.mean

    def draw_latents(self, count: int, seed: int) -> Tensor:
        """Latents (count, latent_size), equal for equal seeds on any device."""
        generator = torch.Generator().manual_seed(seed)
        drawn = torch.randn(count, self.latent_size, generator=generator, dtype=torch.float32)
        return drawn.to(self.latents.device)

    def stream(self, batch_index: int) -> int:
        """The seed of a batch's noise in evaluation: constant for a batch, and unique over batches and processes."""
        return batch_index * (self._trainer.world_size if self._trainer else 1) + self.global_rank

    # ------------------------------------------------------------------ scores of the images

    def on_validation_start(self) -> None:
        self.give_reference()

    def on_test_start(self) -> None:
        self.give_reference()

    @torch.no_grad()
    def give_reference(self) -> None:
        """Add the reference once in a run: training images, evenly spread over the set, divided among the processes."""
        if self.quality is None:
            return
        self.quality.to(self.device)
        if self.quality.has_reference:
            return
        data = self.own_data("task.features, which scores images by those of training,")
        real = data.sets["train"]
        rows = torch.linspace(0, len(real) - 1, min(len(real), self.reference_size)).long()
        rows = rows[self.trainer.global_rank :: self.trainer.world_size]
        for part in rows.split(data.eval_batch_size):
            images = data.normalise(real[part][0].to(self.device))
            self.quality.add_reference(self.as_pictures(images))

    def score(self, images: Tensor, batch_index: int, fully: bool = False) -> None:
        """Generate as many images as a batch has (N, …), and add them to the scores, in the test `fully`."""
        if self.quality is not None:
            made = self.pictures(self.draw_latents(len(images), self.stream(batch_index) + fully * OF_THE_TEST))
            self.quality.add(made, self.as_pictures(images) if fully else None)

    def log_quality(self, stage: str) -> None:
        if self.quality is not None:
            self.log_dict({f"{stage}/{name}": value.float() for name, value in self.quality.compute().items()})

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        super().on_save_checkpoint(checkpoint)
        checkpoint["features"] = self.scored_by
