"""The terms of a variational autoencoder's loss: log-likelihoods of inputs and divergences of latents, in nats.

Kingma and Welling 2014, arXiv:1312.6114; the bound of several samples: Burda, Grosse and Salakhutdinov 2016,
arXiv:1509.00519. Sums run over all dimensions but the leading ones, so that values are nats per input.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor


def bernoulli(inputs: Tensor, logits: Tensor) -> Tensor:
    """log p (N,) of inputs (N, …), values 0 to 1, under independent Bernoulli variables with logits (N, …).

    For values strictly between 0 and 1 it is the negative cross-entropy, and not the log-likelihood of a distribution.

    >>> bernoulli(torch.tensor([[1.0, 0.0]]), torch.zeros(1, 2))  # 2 log ½
    tensor([-1.3863])
    """
    return -F.binary_cross_entropy_with_logits(logits, inputs, reduction="none").flatten(1).sum(1)


def gaussian(inputs: Tensor, mean: Tensor, log_std: Tensor) -> Tensor:
    """log p (N,) of inputs (N, …) under independent Gaussians with mean (N, …) and a common standard deviation.

    >>> gaussian(torch.zeros(1, 2), torch.zeros(1, 2), torch.tensor(0.0))  # -log 2π
    tensor([-1.8379])
    """
    scaled = (inputs - mean) * torch.exp(-log_std)
    return -(0.5 * scaled.square() + log_std + 0.5 * math.log(2 * math.pi)).flatten(1).sum(1)


def standard_normal(latents: Tensor) -> Tensor:
    """log p (…) of latents (…, L) under the standard normal distribution."""
    return -0.5 * (latents.square() + math.log(2 * math.pi)).sum(-1)


def diagonal_normal(latents: Tensor, mean: Tensor, log_variance: Tensor) -> Tensor:
    """log q (…) of latents (…, L) under a Gaussian with independent components."""
    scaled = (latents - mean).square() * torch.exp(-log_variance)
    return -0.5 * (scaled + log_variance + math.log(2 * math.pi)).sum(-1)


def kl_to_standard_normal(mean: Tensor, log_variance: Tensor) -> Tensor:
    """KL divergence (N,) of a Gaussian with independent components (N, L) from the standard normal, in closed form.

    >>> kl_to_standard_normal(torch.tensor([[1.0, 0.0]]), torch.zeros(1, 2))
    tensor([0.5000])
    """
    return 0.5 * (mean.square() + log_variance.exp() - log_variance - 1).sum(1)


def importance_weighted(log_weights: Tensor) -> Tensor:
    """log of the mean weight over K samples (N,), from the samples' log weights log p(x, z) - log q(z | x) (K, N).

    Its expectation is a lower bound of log p(x) that tightens as K grows.
    """
    return log_weights.logsumexp(0) - math.log(len(log_weights))


def bits_per_dimension(nats: Tensor, dimensions: int, continuous: bool) -> Tensor:
    """Convert nats per input to bits per dimension; any shape.

    Args:
        nats: log-likelihood, or a bound of it.
        dimensions: number of values of an input.
        continuous: whether `nats` is a log density on 0 to 1 of values with 256 levels, each 1/256 wide.

    >>> bits_per_dimension(torch.tensor(-2 * math.log(2)), 4, continuous=False)
    tensor(0.5000)
    """
    return -nats / (dimensions * math.log(2)) + 8 * continuous
