"""The task of a generative adversarial network (Goodfellow et al. 2014)."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Annotated, Any, Literal

import torch
from annotated_types import Ge, Gt
from torch import Tensor, nn

from atelier.errors import InputError
from atelier.losses.adversarial import LOSSES, gradient_penalty
from atelier.metrics.mean import Mean
from atelier.tasks.generative import GenerativeTask
from atelier.tasks.manual import ManualTask

Batch = tuple[Tensor, Tensor]  # inputs (N, …), unused labels (N, …)
BATCH_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d, nn.SyncBatchNorm)


class GAN(ManualTask, GenerativeTask):
    """A generator and a discriminator, each with its own optimizer.

    The discriminator is trained on every batch, the generator on every `discriminator_steps`-th. A batch counts as one
    step of the run.

    Args:
        generator: maps latents (N, latent_size) to inputs (N, …), values -1 to 1.
        discriminator: maps such inputs to scores (N, 1), the logits of being real.
        loss: bce, lsgan, hinge or wgan_gp, see `losses.adversarial`.
        penalty_weight: weight of the gradient penalty in the discriminator's loss, with wgan_gp only; batch norm in the
            discriminator is refused with it, as Gulrajani et al. 2017 advise.
        discriminator_steps: number of discriminator steps for each generator step.
        generator_lr, discriminator_lr: learning rates.
        gradient_clip_val: maximum norm of each network's gradient; None: no clipping.
        penalty: function of a network that is added to its training loss, for both networks.
        **options: see `GenerativeTask`; `average` is of the generator's weights, and moves at the generator's steps.
    """

    export_input = "latents", "drawn from the standard normal distribution"

    def __init__(
        self,
        generator: nn.Module,
        discriminator: nn.Module,
        loss: Literal["bce", "lsgan", "hinge", "wgan_gp"],
        penalty_weight: Annotated[float, Ge(0)],
        discriminator_steps: Annotated[int, Ge(1)],
        generator_lr: Annotated[float, Ge(0)],
        discriminator_lr: Annotated[float, Ge(0)],
        gradient_clip_val: Annotated[float, Gt(0)] | None,
        penalty: Callable[[nn.Module], Tensor | float],
        **options: Any,
    ) -> None:
        super().__init__({"generator": generator, "discriminator": discriminator}, **options)
        self.loss, self.has_gradient_penalty, self.penalty_weight = LOSSES[loss], loss == "wgan_gp", penalty_weight
        self.discriminator_steps = discriminator_steps
        self.generator_lr, self.discriminator_lr = generator_lr, discriminator_lr
        self.gradient_clip_val = gradient_clip_val
        self.penalty = penalty
        self.train_discriminator_loss, self.train_generator_loss = Mean(), Mean()
        self.train_real_score, self.train_made_score = Mean(), Mean()
        self.val_discriminator_loss, self.test_discriminator_loss = Mean(), Mean()

    def setup(self, stage: str) -> None:
        super().setup(stage)
        normed = any(isinstance(layer, BATCH_NORMS) for layer in self.discriminator.modules())
        if stage == "fit" and self.has_gradient_penalty and normed:
            told = "batch norm gives no sample a score of its own, whose slope it bounds; give the discriminator none"
            raise InputError(f"task.loss=wgan_gp: {told}")

    @property
    def generator(self) -> nn.Module:
        return self.network["generator"]  # type: ignore[index]

    @property
    def discriminator(self) -> nn.Module:
        return self.network["discriminator"]  # type: ignore[index]

    # ------------------------------------------------------------------ training

    def training_step(self, batch: Batch, batch_index: int) -> dict[str, Tensor]:
        real = self.as_range(batch[0])
        with self.turn_of(0):
            with torch.no_grad(), statistics_kept(self.generator):
                made = self.generator(self.noise(len(real)))
            real_scores, made_scores = self.discriminator(real), self.discriminator(made)
            loss = self.loss.discriminator(real_scores, made_scores)
            self.train_discriminator_loss.update(loss, len(real))
            self.train_real_score.update(real_scores.mean(), len(real))
            self.train_made_score.update(made_scores.mean(), len(real))
            loss = loss + self.penalty(self.discriminator)
            if self.has_gradient_penalty:
                with torch.autocast(self.device.type, enabled=False):
                    slope = gradient_penalty(self.discriminator, real, made)
                loss = loss + self.penalty_weight * slope
            self.step_optimizer(0, loss)  # increases `global_step`

        if self.global_step % self.discriminator_steps == 0:
            loss = self.train_generator(len(real))
        self.step_schedulers()
        return {"loss": loss.detach()}

    def train_generator(self, count: int) -> Tensor:
        """Train the generator on `count` latents; return its loss."""
        with self.turn_of(1):
            made = self.generator(self.noise(count))
            with statistics_kept(self.discriminator):
                loss = self.loss.generator(self.discriminator(made))
            self.train_generator_loss.update(loss, count)
            loss = loss + self.penalty(self.generator)
            self.step_optimizer(1, loss)
        return loss

    def averaged_part(self) -> nn.Module:
        return self.generator

    def noise(self, count: int) -> Tensor:
        return torch.randn(count, self.latent_size, device=self.device, dtype=torch.float32)

    def as_range(self, images: Tensor) -> Tensor:
        """Normalised images with values scaled to -1 to 1, the generator's range."""
        return self.as_pictures(images) * 2 - 1

    def log_training(self) -> None:
        names = ("discriminator_loss", "generator_loss", "real_score", "made_score")
        known = {name: getattr(self, f"train_{name}") for name in names}
        self.log_metrics("train", {name: metric for name, metric in known.items() if metric.update_called})

    def configure_optimizers(self) -> Any:
        highest = getattr(self.scheduler.scheduler, "keywords", {}).get("max_lr")
        if highest is not None and (self.generator_lr, self.discriminator_lr) != (highest, highest):
            raise InputError("scheduler=one_cycle: it gives both networks one learning rate; set only optimizer.lr")
        return self.with_schedulers(
            self.optimizer_of(self.discriminator, lr=self.discriminator_lr),
            self.optimizer_of(self.generator, lr=self.generator_lr),
        )

    # ------------------------------------------------------------------ validation, test, images

    def validation_step(self, batch: Batch, batch_index: int) -> None:
        self.val_discriminator_loss.update(self.held_out_loss(batch[0], batch_index), len(batch[0]))
        self.score(batch[0], batch_index)

    def on_validation_epoch_end(self) -> None:
        self.log_metrics("val", {"discriminator_loss": self.val_discriminator_loss})
        self.log_quality("val")

    def test_step(self, batch: Batch, batch_index: int) -> None:
        self.test_discriminator_loss.update(self.held_out_loss(batch[0], batch_index), len(batch[0]))
        self.score(batch[0], batch_index, fully=True)

    def on_test_epoch_end(self) -> None:
        self.log_metrics("test", {"discriminator_loss": self.test_discriminator_loss})
        self.log_quality("test")

    def held_out_loss(self, images: Tensor, batch_index: int) -> Tensor:
        """The discriminator's loss on held-out real images (N, …) and N generated images, a scalar."""
        made = self.generator(self.draw_latents(len(images), self.stream(batch_index)))
        return self.loss.discriminator(self.discriminator(self.as_range(images)), self.discriminator(made))

    def pictures(self, latents: Tensor) -> Tensor:
        """Images, values 0 to 1, that the generator generates from latents (N, latent_size)."""
        return self.generator(latents).add(1).div(2).clamp(0, 1)

    def export_step(self, inputs: Tensor) -> tuple[Tensor, ...]:
        return (self.pictures(inputs),)

    def export_module(self) -> nn.Module:
        return self.generator

    def export_inputs(self, count: int) -> Tensor:
        return self.draw_latents(count, seed=0)


@contextmanager
def statistics_kept(network: nn.Module) -> Iterator[None]:
    """Inside this context, batch norm uses the batch's statistics, and does not update its running statistics."""
    layers: list[Any] = [layer for layer in network.modules() if getattr(layer, "track_running_stats", False)]
    for layer in layers:
        layer.track_running_stats = False
    try:
        yield
    finally:
        for layer in layers:
            layer.track_running_stats = True
