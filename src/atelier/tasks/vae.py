"""The task of a variational autoencoder (Kingma and Welling 2014)."""

from collections.abc import Callable
from typing import Annotated, Any, Literal

import torch
from annotated_types import Ge
from torch import Tensor, nn

from atelier.errors import InputError
from atelier.losses import likelihood
from atelier.losses.precision import full
from atelier.metrics.mean import Mean
from atelier.tasks.generative import GenerativeTask

Batch = tuple[Tensor, Tensor]  # inputs (N, …), unused labels (N, …)
LEVELS = 256  # number of values of a stored pixel
NAMES = ("elbo", "reconstruction", "kl")  # all in nats per input


class VAE(GenerativeTask):
    """An encoder and a decoder that maximise the evidence lower bound (ELBO), with weight `beta` for its divergence.

    Metrics: `reconstruction` is E log p(x | z), with a sample of z for each input; `kl` is the divergence of q(z | x)
    from the prior; `elbo` is their difference, without beta. With the Gaussian likelihood, uniform noise as wide as a
    level makes the inputs continuous on 0 to 1, so that bits per dimension are those of the stored bytes (Theis et al.
    2016, arXiv:1511.01844).

    Args:
        encoder: maps inputs (N, …), values 0 to 1, to mean and log-variance, concatenated (N, 2·latent_size).
        decoder: maps latents (N, latent_size) to logits (Bernoulli) or means (Gaussian) of inputs (N, …).
        likelihood: bernoulli, or gaussian with a learnt standard deviation common to all values.
        binarise: with bernoulli, draw each value as 0 or 1, with the value as probability: again at each training step,
            but always equal in validation and test. Otherwise inputs stay grey, and the 'likelihood' is a negative
            cross-entropy.
        beta: weight of the divergence in the training loss.
        warmup_epochs: number of epochs over which the weight rises from 0 to beta.
        importance_samples: number of samples of the estimate of log p(x) in the test; 0: no estimate.
        penalty: function of the networks that is added to the training loss.
        **options: see `GenerativeTask`.

    Raises:
        InputError: for binarise=true with another likelihood than bernoulli.
    """

    def __init__(
        self,
        encoder: nn.Module,
        decoder: nn.Module,
        likelihood: Literal["bernoulli", "gaussian"],
        binarise: bool,
        beta: Annotated[float, Ge(0)],
        warmup_epochs: Annotated[float, Ge(0)],
        importance_samples: Annotated[int, Ge(0)],
        penalty: Callable[[nn.Module], Tensor | float],
        **options: Any,
    ) -> None:
        super().__init__({"encoder": encoder, "decoder": decoder}, **options)
        if binarise and likelihood != "bernoulli":
            raise InputError("task.binarise=true: only with task.likelihood=bernoulli")
        self.gaussian, self.binarise = likelihood == "gaussian", binarise
        self.beta, self.warmup_epochs, self.importance_samples = beta, warmup_epochs, importance_samples
        self.penalty = penalty
        self.dimensions = 0  # number of values of an input, set at the first batch
        if self.gaussian:  # log of the standard deviation, for values 0 to 1
            self.network.register_parameter("log_std", nn.Parameter(torch.tensor(-1.0)))
        self.train_elbo, self.train_reconstruction, self.train_kl = Mean(), Mean(), Mean()
        self.val_elbo, self.val_reconstruction, self.val_kl = Mean(), Mean(), Mean()
        self.test_elbo, self.test_reconstruction, self.test_kl = Mean(), Mean(), Mean()
        self.test_log_likelihood = Mean()

    @property
    def encoder(self) -> nn.Module:
        return self.network["encoder"]  # type: ignore[index]

    @property
    def decoder(self) -> nn.Module:
        return self.network["decoder"]  # type: ignore[index]

    # ------------------------------------------------------------------ training, validation, test

    def training_step(self, batch: Batch, batch_index: int) -> Tensor:
        inputs = self.as_inputs(batch[0], None)
        reconstruction, kl = self.terms(inputs, None)
        self.train_elbo.update(reconstruction - kl, len(inputs))
        self.train_reconstruction.update(reconstruction, len(inputs))
        self.train_kl.update(kl, len(inputs))
        return self.weight() * kl - reconstruction + self.penalty(self.network)

    def log_training(self) -> None:
        self.log_terms("train")

    def validation_step(self, batch: Batch, batch_index: int) -> None:
        self.evaluate("val", batch[0], batch_index)
        self.score(batch[0], batch_index)

    def on_validation_epoch_end(self) -> None:
        self.log_terms("val")
        self.log_quality("val")

    def test_step(self, batch: Batch, batch_index: int) -> None:
        inputs, generator = self.evaluate("test", batch[0], batch_index)
        if self.importance_samples:
            found = self.estimate(inputs, self.importance_samples, generator)
            self.test_log_likelihood.update(found.mean(), len(inputs))
        self.score(batch[0], batch_index, fully=True)

    def on_test_epoch_end(self) -> None:
        self.log_terms("test")
        if self.importance_samples:
            self.log_metrics("test", {"log_likelihood": self.test_log_likelihood})
        self.log_quality("test")

    # ------------------------------------------------------------------ terms of the loss

    def as_inputs(self, images: Tensor, generator: torch.Generator | None) -> Tensor:
        """Normalised images (N, …) as inputs of the likelihood, values 0 to 1."""
        self.dimensions = images[0].numel()
        values = self.as_pictures(images).clamp(0, 1)
        if self.gaussian:
            return (values * (LEVELS - 1) + uniform(values, generator)) / LEVELS
        return (uniform(values, generator) < values).to(values.dtype) if self.binarise else values

    def encode(self, inputs: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and log-variance of the latents of inputs (N, …), (N, latent_size) each."""
        mean, log_variance = self.encoder(inputs).chunk(2, 1)
        return mean, log_variance

    def log_likelihood(self, inputs: Tensor, decoded: Tensor) -> Tensor:
        """log p (N,) of inputs (N, …) given the decoder's outputs for their latents, in nats."""
        if self.gaussian:
            return likelihood.gaussian(inputs, decoded, full(self.network.get_parameter("log_std")))
        return likelihood.bernoulli(inputs, decoded)

    def terms(self, inputs: Tensor, generator: torch.Generator | None) -> tuple[Tensor, Tensor]:
        """Mean reconstruction and mean divergence of inputs (N, …), scalars in nats."""
        mean, log_variance = self.encode(inputs)
        latents = mean + torch.exp(0.5 * log_variance) * normal(mean, generator)
        reconstruction = self.log_likelihood(inputs, self.decoder(latents)).mean()
        return reconstruction, likelihood.kl_to_standard_normal(mean, log_variance).mean()

    def weight(self) -> float:
        """The weight of the divergence at this step."""
        if not self.warmup_epochs:
            return self.beta
        return self.beta * min(1.0, self.global_step / (self.warmup_epochs * self.steps_per_epoch))

    def evaluate(self, stage: str, images: Tensor, batch_index: int) -> tuple[Tensor, torch.Generator]:
        """Add a batch to the metrics of a stage; its noise is equal at every call."""
        generator = torch.Generator(images.device).manual_seed(self.stream(batch_index))
        inputs = self.as_inputs(images, generator)
        reconstruction, kl = self.terms(inputs, generator)
        for name, value in zip(NAMES, (reconstruction - kl, reconstruction, kl), strict=True):
            getattr(self, f"{stage}_{name}").update(value, len(images))
        return inputs, generator

    def estimate(self, inputs: Tensor, samples: int, generator: torch.Generator) -> Tensor:
        """A lower estimate (N,) of log p(x) in nats for inputs (N, …), from `samples` latents of q(z | x) for each."""
        mean, log_variance = self.encode(inputs)
        log_weights = []
        for _ in range(samples):
            latents = mean + torch.exp(0.5 * log_variance) * normal(mean, generator)
            joint = self.log_likelihood(inputs, self.decoder(latents)) + likelihood.standard_normal(latents)
            log_weights.append(joint - likelihood.diagonal_normal(latents, mean, log_variance))
        return likelihood.importance_weighted(torch.stack(log_weights))

    def log_terms(self, stage: str) -> None:
        elbo = getattr(self, f"{stage}_elbo").compute()
        bits = likelihood.bits_per_dimension(elbo, self.dimensions, continuous=self.gaussian)
        self.log(f"{stage}/bits_per_dimension", bits)
        self.log_metrics(stage, {name: getattr(self, f"{stage}_{name}") for name in NAMES})

    # ------------------------------------------------------------------ images

    def pictures(self, latents: Tensor) -> Tensor:
        """The mean of p(x | z) for latents (N, latent_size), values 0 to 1."""
        decoded = self.decoder(latents)
        return decoded.clamp(0, 1) if self.gaussian else decoded.sigmoid()

    def reconstruct(self, images: Tensor) -> Tensor:
        """Reconstruct normalised images (N, …) from the means of their latents, values 0 to 1."""
        return self.pictures(self.encode(self.as_pictures(images))[0])

    def export_step(self, inputs: Tensor) -> tuple[Tensor, ...]:
        return (self.reconstruct(inputs),)


def uniform(like: Tensor, generator: torch.Generator | None) -> Tensor:
    return torch.rand(like.shape, generator=generator, device=like.device, dtype=torch.float32).to(like.dtype)


def normal(like: Tensor, generator: torch.Generator | None) -> Tensor:
    return torch.randn(like.shape, generator=generator, device=like.device, dtype=torch.float32).to(like.dtype)
