"""Adversarial losses against their formulas in plain arithmetic, and the gradient penalty where it is known."""

import math

import pytest
import torch
from torch import Tensor, nn

from atelier.losses.adversarial import LOSSES, gradient_penalty

REAL, MADE = [2.0, -0.5, 0.3], [-1.0, 0.0, 1.5]


def sigmoid(score: float) -> float:
    return 1 / (1 + math.exp(-score))


def mean(values: list[float]) -> float:
    return sum(values) / len(values)


def column(values: list[float]) -> Tensor:
    return torch.tensor(values, dtype=torch.float64)[:, None]


DISCRIMINATOR = {
    "bce": -mean([math.log(sigmoid(r)) for r in REAL]) - mean([math.log(1 - sigmoid(m)) for m in MADE]),
    "lsgan": mean([(r - 1) ** 2 for r in REAL]) / 2 + mean([m**2 for m in MADE]) / 2,
    "hinge": mean([max(0, 1 - r) for r in REAL]) + mean([max(0, 1 + m) for m in MADE]),
    "wgan_gp": mean(MADE) - mean(REAL),
}
GENERATOR = {
    "bce": -mean([math.log(sigmoid(m)) for m in MADE]),
    "lsgan": mean([(m - 1) ** 2 for m in MADE]) / 2,
    "hinge": -mean(MADE),
    "wgan_gp": -mean(MADE),
}


@pytest.mark.parametrize("name", LOSSES)
def test_the_discriminators_loss_is_its_formula(name: str) -> None:
    assert LOSSES[name].discriminator(column(REAL), column(MADE)).item() == pytest.approx(DISCRIMINATOR[name])


@pytest.mark.parametrize("name", LOSSES)
def test_the_generators_loss_is_its_formula(name: str) -> None:
    assert LOSSES[name].generator(column(MADE)).item() == pytest.approx(GENERATOR[name])


@pytest.mark.parametrize("name", LOSSES)
def test_certain_scores_give_finite_losses_and_gradients(name: str) -> None:
    scores = torch.tensor([[-200.0], [200.0]], requires_grad=True)
    loss = LOSSES[name].discriminator(scores, scores.flip(0)) + LOSSES[name].generator(scores)
    loss.backward()
    assert loss.isfinite()
    assert scores.grad is not None
    assert scores.grad.isfinite().all()


@pytest.mark.parametrize("name", LOSSES)
def test_the_generator_gains_by_a_higher_score(name: str) -> None:
    low, high = (LOSSES[name].generator(torch.full((2, 1), score)) for score in (-1.0, 0.5))
    assert high < low


def test_the_non_saturating_loss_learns_where_the_discriminator_is_sure() -> None:
    score = torch.tensor([[-20.0]], requires_grad=True)
    LOSSES["bce"].generator(score).backward()
    assert score.grad is not None
    assert score.grad.item() == pytest.approx(-1, abs=1e-6)


@pytest.mark.parametrize(("slope", "expected"), [((0.6, 0.8), 0.0), ((3.0, 4.0), 16.0), ((0.0, 0.0), 1.0)])
def test_the_gradient_penalty_of_a_linear_discriminator_is_that_of_its_slope(
    slope: tuple[float, float], expected: float
) -> None:
    linear = nn.Linear(2, 1)
    with torch.no_grad():
        linear.weight.copy_(torch.tensor([slope]))
    found = gradient_penalty(linear, torch.randn(5, 2), torch.randn(5, 2))
    assert found.item() == pytest.approx(expected, abs=1e-5)


def test_the_gradient_penalty_is_of_all_pixels_of_an_image_together() -> None:
    linear = nn.Sequential(nn.Flatten(), nn.Linear(8, 1))
    nn.init.constant_(linear[1].weight, 2.0)
    found = gradient_penalty(linear, torch.randn(5, 2, 2, 2), torch.randn(5, 2, 2, 2))
    assert found.item() == pytest.approx((2 * math.sqrt(8) - 1) ** 2)


def test_the_gradient_penalty_reaches_the_discriminators_weights_and_not_the_made_inputs() -> None:
    linear = nn.Linear(2, 1)
    made = torch.randn(5, 2, requires_grad=True)
    gradient_penalty(linear, torch.randn(5, 2), made).backward()
    assert linear.weight.grad is not None
    assert linear.weight.grad.any()
    assert made.grad is None


def test_the_penalised_places_lie_between_real_and_made_inputs() -> None:
    seen = []

    class Watched(nn.Module):
        def forward(self, inputs: Tensor) -> Tensor:
            seen.append(inputs.detach())
            return inputs.square().sum(1, keepdim=True)

    gradient_penalty(Watched(), torch.zeros(200, 3), torch.ones(200, 3))
    (places,) = seen
    assert places.min() >= 0
    assert places.max() <= 1
    torch.testing.assert_close(places[:, 0], places[:, 2])
    assert places.std() > 0.2
