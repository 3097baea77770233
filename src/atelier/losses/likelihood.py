"""What a variational autoencoder is trained with: log-likelihoods of inputs and divergences of latents, in nats.

Kingma and Welling 2014, arXiv:1312.6114; the bound of several samples: Burda, Grosse and Salakhutdinov 2016,
arXiv:1509.00519. Sums run over everything but the leading dimensions, so that values are nats per input.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor


def bernoulli(inputs: Tensor, logits: Tensor) -> Tensor:
    """log p of inputs (N, …) in 0–1 under independent Bernoulli variables with these logits (N, …): (N,).

    For inputs between 0 and 1 it is the negative cross-entropy, which is the log-likelihood of no distribution.

    >>> bernoulli(torch.tensor([[1.0, 0.0]]), torch.zeros(1, 2))  # 2 log ½
    tensor([-1.3863])
    """
    return -F.binary_cross_entropy_with_logits(logits, inputs, reduction="none").flatten(1).sum(1)


def gaussian(inputs: Tensor, mean: Tensor, log_std: Tensor) -> Tensor:
    """log p of inputs (N, …) under independent Gaussians of this mean (N, …) and one common deviation: (N,).

    >>> gaussian(torch.zeros(1, 2), torch.zeros(1, 2), torch.tensor(0.0))  # -log 2π
    tensor([-1.8379])
    """
    scaled = (inputs - mean) * torch.exp(-log_std)
    return -(0.5 * scaled.square() + log_std + 0.5 * math.log(2 * math.pi)).flatten(1).sum(1)


def standard_normal(latents: Tensor) -> Tensor:
    """log p of latents (…, L) under the standard normal distribution: (…)."""
    return -0.5 * (latents.square() + math.log(2 * math.pi)).sum(-1)


def diagonal_normal(latents: Tensor, mean: Tensor, log_variance: Tensor) -> Tensor:
    """log q of latents (…, L) under a Gaussian with independent parts: (…)."""
    scaled = (latents - mean).square() * torch.exp(-log_variance)
    return -0.5 * (scaled + log_variance + math.log(2 * math.pi)).sum(-1)


def kl_to_standard_normal(mean: Tensor, log_variance: Tensor) -> Tensor:
    """KL divergence of a Gaussian with independent parts (N, L) from the standard normal, in closed form: (N,).

    >>> kl_to_standard_normal(torch.tensor([[1.0, 0.0]]), torch.zeros(1, 2))
    tensor([0.5000])
    """
    return 0.5 * (mean.square() + log_variance.exp() - log_variance - 1).sum(1)


def importance_weighted(log_weights: Tensor) -> Tensor:
    """log of the mean weight over K samples, from log p(x, z) - log q(z | x) of each (K, N): (N,).

    Its expectation is at most log p(x), and comes closer the larger K is.
    """
    return log_weights.logsumexp(0) - math.log(len(log_weights))


def bits_per_dimension(nats: Tensor, dimensions: int, continuous: bool) -> Tensor:
    """Nats per input as bits for each of its dimensions, of any shape.

    Args:
        nats: log-likelihood or a bound of it.
        dimensions: how many values an input has.
        continuous: whether it is a density on 0–1 of values that have 256 levels, each of which holds 1/256 of it.

    >>> bits_per_dimension(torch.tensor(-2 * math.log(2)), 4, continuous=False)
    tensor(0.5000)
    """
    return -nats / (dimensions * math.log(2)) + 8 * continuous
