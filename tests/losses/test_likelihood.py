"""Likelihoods and divergences against torch's distributions, Monte-Carlo, and a model whose likelihood is known."""

import math

import pytest
import torch
from torch.distributions import Bernoulli, Independent, MultivariateNormal, Normal, kl_divergence

from atelier.losses import likelihood

MEAN = torch.tensor([[0.5, -1.0, 2.0], [0.0, 0.3, -0.2]], dtype=torch.float64)
LOG_VARIANCE = torch.tensor([[0.2, -1.0, 0.5], [0.0, -3.0, 1.0]], dtype=torch.float64)


def test_bernoulli_is_torchs_for_inputs_of_0_and_1() -> None:
    logits = torch.randn(4, 1, 3, 3, dtype=torch.float64)
    inputs = (torch.rand_like(logits) < 0.5).double()
    expected = Independent(Bernoulli(logits=logits), 3).log_prob(inputs)
    torch.testing.assert_close(likelihood.bernoulli(inputs, logits), expected)


def test_bernoulli_of_gray_inputs_is_their_negative_cross_entropy() -> None:
    gray, probability = 0.3, 0.6
    logits = torch.tensor([[math.log(probability / (1 - probability))]], dtype=torch.float64)
    found = likelihood.bernoulli(torch.tensor([[gray]], dtype=torch.float64), logits)
    assert found.item() == pytest.approx(gray * math.log(probability) + (1 - gray) * math.log(1 - probability))


def test_gaussian_is_torchs() -> None:
    inputs, mean = torch.randn(2, 4, 3, 2, dtype=torch.float64)
    log_std = torch.tensor(-0.7, dtype=torch.float64)
    expected = Independent(Normal(mean, log_std.exp()), 2).log_prob(inputs)
    torch.testing.assert_close(likelihood.gaussian(inputs, mean, log_std), expected)


def test_the_divergence_is_torchs() -> None:
    posterior = Independent(Normal(MEAN, (LOG_VARIANCE / 2).exp()), 1)
    prior = Independent(Normal(torch.zeros_like(MEAN), torch.ones_like(MEAN)), 1)
    torch.testing.assert_close(likelihood.kl_to_standard_normal(MEAN, LOG_VARIANCE), kl_divergence(posterior, prior))


def test_the_divergence_is_the_mean_log_ratio_over_samples() -> None:
    generator = torch.Generator().manual_seed(0)
    noise = torch.randn(200_000, *MEAN.shape, generator=generator, dtype=torch.float64)
    latents = MEAN + (LOG_VARIANCE / 2).exp() * noise
    ratio = likelihood.diagonal_normal(latents, MEAN, LOG_VARIANCE) - likelihood.standard_normal(latents)
    error = ratio.std(0) / math.sqrt(len(ratio))
    assert ((ratio.mean(0) - likelihood.kl_to_standard_normal(MEAN, LOG_VARIANCE)).abs() < 4 * error).all()


def test_a_posterior_that_is_the_prior_has_no_divergence() -> None:
    zero = torch.zeros(2, 5)
    assert likelihood.kl_to_standard_normal(zero, zero).tolist() == [0, 0]


@pytest.mark.parametrize("samples", [1, 10])
def test_with_the_true_posterior_every_number_of_samples_gives_the_likelihood_itself(samples: int) -> None:
    """x = Wz + noise with a z of one number: the posterior and p(x) are Gaussians, known in closed form."""
    torch.manual_seed(0)
    weight, deviation = torch.tensor([1.5, -0.5, 2.0], dtype=torch.float64), 0.8
    inputs = torch.randn(6, 3, dtype=torch.float64) * 2
    variance = 1 / (1 + weight.square().sum() / deviation**2)
    mean = (inputs @ weight)[:, None] * variance / deviation**2
    log_variance = variance.log().expand_as(mean)
    found = importance_weighted(inputs, weight, deviation, mean, log_variance, samples)
    covariance = torch.outer(weight, weight) + deviation**2 * torch.eye(3, dtype=torch.float64)
    expected = MultivariateNormal(torch.zeros(3, dtype=torch.float64), covariance).log_prob(inputs)
    torch.testing.assert_close(found, expected)


def importance_weighted(
    inputs: torch.Tensor,
    weight: torch.Tensor,
    deviation: float,
    mean: torch.Tensor,
    log_variance: torch.Tensor,
    samples: int,
) -> torch.Tensor:
    log_weights = []
    for _ in range(samples):
        latents = mean + (log_variance / 2).exp() * torch.randn_like(mean)
        joint = likelihood.gaussian(inputs, latents * weight, torch.tensor(deviation, dtype=torch.float64).log())
        joint = joint + likelihood.standard_normal(latents)
        log_weights.append(joint - likelihood.diagonal_normal(latents, mean, log_variance))
    return likelihood.importance_weighted(torch.stack(log_weights))


def test_more_samples_bring_a_wrong_posterior_closer_from_below() -> None:
    torch.manual_seed(0)
    weight, deviation = torch.tensor([1.5, -0.5, 2.0], dtype=torch.float64), 0.8
    inputs = torch.randn(300, 3, dtype=torch.float64) * 2
    covariance = torch.outer(weight, weight) + deviation**2 * torch.eye(3, dtype=torch.float64)
    truth = MultivariateNormal(torch.zeros(3, dtype=torch.float64), covariance).log_prob(inputs).mean()
    variance = 1 / (1 + weight.square().sum() / deviation**2)
    mean = (inputs @ weight)[:, None] * variance / deviation**2 + 0.3
    log_variance = variance.log().expand_as(mean) + 0.5
    bounds = [
        importance_weighted(inputs, weight, deviation, mean, log_variance, samples).mean() for samples in (1, 10, 300)
    ]
    assert bounds[0] < bounds[1] < truth
    assert (bounds[2] - truth).abs() < 0.02
    assert truth - bounds[0] > 0.2


def test_bits_of_a_density_are_those_of_the_bytes_that_it_covers() -> None:
    """A uniform density on 0–1 says nothing about a byte: 8 bits."""
    assert likelihood.bits_per_dimension(torch.zeros(()), 3, continuous=True).item() == 8
    assert likelihood.bits_per_dimension(torch.tensor(-3 * math.log(2)), 3, continuous=False).item() == pytest.approx(1)
