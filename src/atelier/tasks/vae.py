"""A variational autoencoder: inputs to a distribution of latents and back (Kingma and Welling 2014)."""

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

Batch = tuple[Tensor, Tensor]  # inputs (N, …), labels (N, …), which are not used
LEVELS = 256  # values that a stored pixel has
NAMES = ("elbo", "reconstruction", "kl")  # all in nats per input


class VAE(GenerativeTask):
    """An encoder and a decoder that maximise the evidence lower bound (ELBO), with the weight `beta` on its divergence.

    `reconstruction` is E log p(x | z), one sample of z for each input; `kl` the divergence of q(z | x) from the prior;
    `elbo` their difference, whatever beta is. With the Gaussian likelihood an input is a density on 0–1, made
    continuous by noise of one level's width, so that its bits are those of the stored bytes (Theis et al. 2016,
    arXiv:1511.01844).

    Args:
        encoder: inputs (N, …) in 0–1 to mean and log-variance side by side, (N, 2·latent_size).
        decoder: latents (N, latent_size) to logits (Bernoulli) or means (Gaussian) of inputs (N, …).
        likelihood: bernoulli or gaussian; the latter with one deviation for all values, which is learnt.
        binarise: with bernoulli, draw each input's values as 0 or 1, with its own values as their probabilities: anew
            at each training step, and always the same in validation and testing. Else inputs stay gray, and the
            'likelihood' is a cross-entropy.
        beta: weight of the divergence in the training loss.
        warmup_epochs: over which the weight rises from 0 to beta.
        importance_samples: of the estimate of log p(x) in testing; 0 leaves it out.
        penalty: added to the training loss.
        **options: see `GenerativeTask`.

    Raises:
        InputError: for a likelihood that does not exist, or a number out of its range.
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
        self.dimensions = 0  # of an input; known once there is one
        if self.gaussian:  # log of the deviation, of values in 0–1
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

    # ------------------------------------------------------------------ the steps

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

    # ------------------------------------------------------------------ what they are made of

    def as_inputs(self, images: Tensor, generator: torch.Generator | None) -> Tensor:
        """Normalised images (N, …) to what the likelihood is of: values in 0–1."""
        self.dimensions = images[0].numel()
        values = self.as_pictures(images).clamp(0, 1)
        if self.gaussian:
            return (values * (LEVELS - 1) + uniform(values, generator)) / LEVELS
        return (uniform(values, generator) < values).to(values.dtype) if self.binarise else values

    def encode(self, inputs: Tensor) -> tuple[Tensor, Tensor]:
        """Inputs (N, …) to the mean and log-variance of their latents, (N, latent_size) each."""
        mean, log_variance = self.encoder(inputs).chunk(2, 1)
        return mean, log_variance

    def log_likelihood(self, inputs: Tensor, decoded: Tensor) -> Tensor:
        """log p of inputs (N, …) given what the decoder made of their latents: (N,) nats."""
        if self.gaussian:
            return likelihood.gaussian(inputs, decoded, full(self.network.get_parameter("log_std")))
        return likelihood.bernoulli(inputs, decoded)

    def terms(self, inputs: Tensor, generator: torch.Generator | None) -> tuple[Tensor, Tensor]:
        """Reconstruction and divergence of inputs (N, …), the means over them: scalars, in nats."""
        mean, log_variance = self.encode(inputs)
        latents = mean + torch.exp(0.5 * log_variance) * normal(mean, generator)
        reconstruction = self.log_likelihood(inputs, self.decoder(latents)).mean()
        return reconstruction, likelihood.kl_to_standard_normal(mean, log_variance).mean()

    def weight(self) -> float:
        """Of the divergence at this step."""
        if not self.warmup_epochs:
            return self.beta
        return self.beta * min(1.0, self.global_step / (self.warmup_epochs * self.steps_per_epoch))

    def evaluate(self, stage: str, images: Tensor, batch_index: int) -> tuple[Tensor, torch.Generator]:
        """Add a batch to the terms of a stage; its noise is the same at every call."""
        generator = torch.Generator(images.device).manual_seed(self.stream(batch_index))
        inputs = self.as_inputs(images, generator)
        reconstruction, kl = self.terms(inputs, generator)
        for name, value in zip(NAMES, (reconstruction - kl, reconstruction, kl), strict=True):
            getattr(self, f"{stage}_{name}").update(value, len(images))
        return inputs, generator

    def estimate(self, inputs: Tensor, samples: int, generator: torch.Generator) -> Tensor:
        """log p(x) of inputs (N, …) from below, by so many latents drawn from q(z | x) for each: (N,) nats."""
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

    # ------------------------------------------------------------------ pictures

    def pictures(self, latents: Tensor) -> Tensor:
        """The mean of p(x | z) for latents (N, latent_size): values in 0–1."""
        decoded = self.decoder(latents)
        return decoded.clamp(0, 1) if self.gaussian else decoded.sigmoid()

    def reconstruct(self, images: Tensor) -> Tensor:
        """Normalised images (N, …) to pictures made of the means of their latents: values in 0–1."""
        return self.pictures(self.encode(self.as_pictures(images))[0])


def uniform(like: Tensor, generator: torch.Generator | None) -> Tensor:
    return torch.rand(like.shape, generator=generator, device=like.device, dtype=torch.float32).to(like.dtype)


def normal(like: Tensor, generator: torch.Generator | None) -> Tensor:
    return torch.randn(like.shape, generator=generator, device=like.device, dtype=torch.float32).to(like.dtype)
