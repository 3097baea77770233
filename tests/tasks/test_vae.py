"""What a VAE minimises, logs and estimates, on models small enough to know the answer."""

import math
from functools import partial
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.distributions import MultivariateNormal
from torch.optim import SGD

from atelier.errors import InputError
from atelier.losses.penalty import l2, none
from atelier.tasks.schedule import Schedule
from atelier.tasks.vae import VAE

PIXELS, LATENT = 4, 2


class Fixed(nn.Module):
    """Gives every input the same output."""

    def __init__(self, output: Tensor) -> None:
        super().__init__()
        self.output = nn.Parameter(output)

    def forward(self, inputs: Tensor) -> Tensor:
        return self.output.expand(len(inputs), *self.output.shape)


def vae(**changed: Any) -> VAE:
    """Pictures of 2×2, normalised to the range -1 to 1, that all have the posterior N((1, -2), (1, e))."""
    torch.manual_seed(0)
    settings: dict[str, Any] = {
        "encoder": Fixed(torch.tensor([1.0, -2.0, 0.0, 1.0])),
        "decoder": Fixed(torch.full((1, 2, 2), 0.4)),
        "likelihood": "bernoulli",
        "binarise": False,
        "beta": 1.0,
        "warmup_epochs": 0,
        "importance_samples": 0,
        "latent_size": LATENT,
        "mean": 0.5,
        "std": 0.5,
        "features": None,
        "reference_size": 10,
        "optimizer": SGD,
        "scheduler": Schedule(None),
        "penalty": none,
        "metric": "val/elbo",
        "mode": "max",
    }
    return VAE(**{**settings, **changed})


KL = 0.5 * (1 + 1 - 0 - 1) + 0.5 * (4 + math.e - 1 - 1)
IMAGES = torch.tensor([1.0, -1.0, 1.0, 1.0]).view(1, 1, 2, 2).expand(3, -1, -1, -1)  # three ones and a zero
SHARE = 1 / (1 + math.exp(-0.4))
RECONSTRUCTION = 3 * math.log(SHARE) + math.log(1 - SHARE)


def batch(images: Tensor = IMAGES) -> tuple[Tensor, Tensor]:
    return images, torch.zeros(len(images))


@pytest.mark.parametrize("beta", [0.0, 1.0, 4.0])
def test_training_minimises_the_reconstructions_cost_and_beta_times_the_divergence(beta: float) -> None:
    loss = vae(beta=beta).training_step(batch(), 0)
    assert loss.item() == pytest.approx(beta * KL - RECONSTRUCTION, rel=1e-5)


def test_the_logged_terms_are_in_nats_and_leave_beta_and_the_penalty_out() -> None:
    task = vae(beta=4.0, penalty=partial(l2, strength=1.0))
    task.training_step(batch(), 0)
    assert task.train_kl.compute().item() == pytest.approx(KL)
    assert task.train_reconstruction.compute().item() == pytest.approx(RECONSTRUCTION)
    assert task.train_elbo.compute().item() == pytest.approx(RECONSTRUCTION - KL)


def test_the_penalty_is_added() -> None:
    plain, penalised = vae(), vae(penalty=partial(l2, strength=0.5))
    difference = penalised.training_step(batch(), 0) - plain.training_step(batch(), 0)
    squares = sum(p.square().sum().item() for p in penalised.network.parameters() if p.dim() > 1)
    assert difference.item() == pytest.approx(0.5 * squares)


@pytest.mark.parametrize("several", [1, 4])
@pytest.mark.parametrize(("step", "weight"), [(0, 0.0), (5, 1.0), (10, 2.0), (25, 2.0)])
def test_the_divergences_weight_rises_over_the_warmup(
    step: int, weight: float, several: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two epochs of five steps, each of one batch, or of four and the last of two."""
    trainer = SimpleNamespace(num_training_batches=5 if several == 1 else 18, accumulate_grad_batches=several)
    monkeypatch.setattr(VAE, "trainer", trainer)
    monkeypatch.setattr(VAE, "global_step", step)
    assert vae(beta=2.0, warmup_epochs=2).weight() == pytest.approx(weight)


def test_the_latents_of_training_are_drawn_from_the_posterior() -> None:
    seen: list[Tensor] = []
    task = vae()
    task.decoder.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0].detach()))
    task.training_step(batch(IMAGES[:1].expand(50_000, -1, -1, -1)), 0)
    (latents,) = seen
    torch.testing.assert_close(latents.mean(0), torch.tensor([1.0, -2.0]), atol=0.03, rtol=0)
    torch.testing.assert_close(latents.var(0), torch.tensor([1.0, math.e]), atol=0.06, rtol=0)


def test_gradients_reach_the_encoder_through_the_sample() -> None:
    decoder = nn.Sequential(nn.Linear(LATENT, PIXELS), nn.Unflatten(1, (1, 2, 2)))
    task = vae(decoder=decoder, beta=0.0)
    task.training_step(batch(), 0).backward()
    assert task.encoder.output.grad.abs().min() > 0


# ---------------------------------------------------------------------- inputs


def test_gray_inputs_stay_as_they_are() -> None:
    images = torch.tensor([-1.0, -0.5, 0.0, 1.0]).view(1, 1, 2, 2)
    assert vae().as_inputs(images, None).flatten().tolist() == [0, 0.25, 0.5, 1]


def test_inputs_that_rounding_moved_out_of_the_range_are_moved_back() -> None:
    images = torch.tensor([-1.001, 1.001, 0.0, 0.0]).view(1, 1, 2, 2)
    assert vae().as_inputs(images, None).flatten().tolist() == [0, 1, 0.5, 0.5]


def test_binarised_inputs_are_ones_as_often_as_they_are_bright() -> None:
    images = torch.tensor([-1.0, -0.5, 0.5, 1.0]).view(1, 1, 2, 2).expand(20_000, -1, -1, -1)
    drawn = vae(binarise=True).as_inputs(images, None)
    assert drawn.unique().tolist() == [0, 1]
    torch.testing.assert_close(drawn.mean(0).flatten(), torch.tensor([0.0, 0.25, 0.75, 1.0]), atol=0.015, rtol=0)


def test_binarised_inputs_are_always_the_same_in_validation() -> None:
    task = vae(binarise=True)
    images = torch.zeros(5, 1, 2, 2)
    first, again = (task.evaluate("val", images, batch_index=3)[0] for _ in range(2))
    assert torch.equal(first, again)
    assert not torch.equal(first, task.evaluate("val", images, batch_index=4)[0])


def test_for_the_gaussian_a_level_is_spread_over_its_width() -> None:
    task = vae(likelihood="gaussian")
    images = torch.tensor([0.0, 1.0, 128.0, 255.0]).div(255).mul(2).sub(1).view(1, 1, 2, 2).expand(5000, -1, -1, -1)
    inputs = task.as_inputs(images, None).flatten(1) * 256
    torch.testing.assert_close(inputs.floor(), torch.tensor([0.0, 1, 128, 255]).expand(5000, -1))
    torch.testing.assert_close(inputs.mean(0), torch.tensor([0.5, 1.5, 128.5, 255.5]), atol=0.03, rtol=0)


# ---------------------------------------------------------------------- estimates


def test_the_log_likelihood_of_a_linear_model_is_the_one_in_closed_form() -> None:
    """x = Wz + b + noise: with the true posterior, the estimate is exact; with another it comes close from below."""
    torch.manual_seed(0)
    decoder = nn.Linear(LATENT, PIXELS)
    log_std = -0.5
    weight, bias = decoder.weight.detach(), decoder.bias.detach()
    noise = math.exp(2 * log_std)
    precision = torch.eye(LATENT) + weight.T @ weight / noise

    class Posterior(nn.Module):
        """The diagonal of the true posterior; the mean is the true one."""

        def forward(self, inputs: Tensor) -> Tensor:
            mean = (inputs - bias) @ weight / noise @ torch.linalg.inv(precision)
            return torch.cat([mean, -precision.diagonal().log().expand_as(mean)], 1)

    task = vae(likelihood="gaussian", encoder=Posterior(), decoder=decoder)
    with torch.no_grad():
        task.network.log_std.fill_(log_std)
        inputs = torch.rand(20, PIXELS)
        estimates = [task.estimate(inputs, k, torch.Generator().manual_seed(0)).mean() for k in (1, 500)]
    truth = MultivariateNormal(bias, weight @ weight.T + noise * torch.eye(PIXELS)).log_prob(inputs).mean()
    assert estimates[1].item() == pytest.approx(truth.item(), abs=0.02)
    assert estimates[0] < truth


def test_the_elbo_of_validation_is_its_mean_over_many_samples() -> None:
    """The reconstruction term of a linear decoder with Gaussian noise has a closed form under a Gaussian posterior."""
    torch.manual_seed(1)
    decoder = nn.Sequential(nn.Linear(LATENT, PIXELS), nn.Unflatten(1, (1, 2, 2)))
    task = vae(likelihood="gaussian", decoder=decoder)
    images = IMAGES[:1].expand(40_000, -1, -1, -1)
    with torch.no_grad():
        task.network.log_std.fill_(0.0)
        inputs, _ = task.evaluate("val", images, 0)
        mean, variance = torch.tensor([1.0, -2.0]), torch.tensor([1.0, math.e])
        linear = decoder[0]
        offset = inputs.flatten(1) - linear(mean)
        squares = offset.square().sum(1).mean() + (linear.weight.square() @ variance).sum()
    expected = -0.5 * squares - PIXELS / 2 * math.log(2 * math.pi)
    assert task.val_reconstruction.compute().item() == pytest.approx(expected.item(), abs=0.05)
    assert task.val_elbo.compute().item() == pytest.approx(expected.item() - KL, abs=0.05)


def test_the_deviation_of_a_network_of_16_bits_is_used_in_32() -> None:
    task = vae(likelihood="gaussian")
    inputs, decoded = torch.rand(3, 1, 2, 2), torch.rand(3, 1, 2, 2)
    expected = task.log_likelihood(inputs, decoded)
    torch.testing.assert_close(task.bfloat16().log_likelihood(inputs, decoded), expected)


@pytest.mark.parametrize(("likelihood", "more"), [("bernoulli", 0), ("gaussian", 8)])
def test_bits_of_a_density_on_0_to_1_are_those_of_a_byte(likelihood: str, more: int) -> None:
    task, logged = vae(likelihood=likelihood), {}
    task.log = logged.__setitem__  # type: ignore[assignment]
    task.log_dict = logged.update  # type: ignore[method-assign]
    task.evaluate("val", IMAGES, 0)
    task.log_terms("val")
    bits = -logged["val/elbo"].item() / (PIXELS * math.log(2))
    assert logged["val/bits_per_dimension"].item() == pytest.approx(bits + more)


# ---------------------------------------------------------------------- pictures


def test_pictures_are_the_likelihoods_means() -> None:
    latents = torch.zeros(3, LATENT)
    assert vae().pictures(latents).flatten()[0].item() == pytest.approx(SHARE)
    wide = vae(likelihood="gaussian", decoder=Fixed(torch.tensor([[[-0.5, 0.3], [0.9, 1.5]]])))
    assert wide.pictures(latents)[0].flatten().tolist() == pytest.approx([0, 0.3, 0.9, 1])


def test_reconstructions_are_made_of_the_posteriors_mean() -> None:
    decoder = nn.Sequential(nn.Linear(LATENT, PIXELS), nn.Unflatten(1, (1, 2, 2)))
    task = vae(decoder=decoder)
    expected = decoder(torch.tensor([[1.0, -2.0]])).sigmoid().expand(3, -1, -1, -1)
    torch.testing.assert_close(task.reconstruct(IMAGES), expected)


def test_only_bernoulli_draws_zeros_and_ones() -> None:
    with pytest.raises(InputError, match=r"task\.binarise=true: only with task\.likelihood=bernoulli"):
        vae(likelihood="gaussian", binarise=True)
