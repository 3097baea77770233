"""Initializers: the variance that each states, in linear layers and kernels, from the generator they are given."""

from collections.abc import Callable
from functools import partial

import pytest
import torch
from torch import Tensor

from atelier.scratch import initializers
from atelier.scratch.conv2d import Conv2d
from atelier.scratch.linear import Linear

# Variance of a weight with so many inputs and outputs.
VARIANCES: dict[str, Callable[[int, int], float]] = {
    "zero": lambda fan_in, fan_out: 0.0,
    "normal": lambda fan_in, fan_out: 0.05**2,
    "he": lambda fan_in, fan_out: 2 / fan_in,
    "xavier": lambda fan_in, fan_out: 2 / (fan_in + fan_out),
}


@pytest.mark.parametrize("name", VARIANCES)
@pytest.mark.parametrize(
    ("make", "fan_in", "fan_out"),
    [(partial(Linear, 300, 500), 300, 500), (partial(Conv2d, 40, 80, 3), 40 * 9, 80 * 9)],
    ids=["linear", "convolution"],
)
def test_weights_have_zero_mean_and_the_stated_variance(
    name: str, make: Callable[..., Linear | Conv2d], fan_in: int, fan_out: int
) -> None:
    torch.manual_seed(0)
    layer = make(initializer=getattr(initializers, name))
    weight, variance = layer.weight.value, VARIANCES[name](fan_in, fan_out)
    assert weight.var().item() == pytest.approx(variance, rel=0.05)
    assert weight.mean().item() == pytest.approx(0, abs=4 * (variance / weight.numel()) ** 0.5)
    assert not layer.bias.value.any()


@pytest.mark.parametrize("initializer", [initializers.normal, initializers.he, initializers.xavier])
def test_random_numbers_come_from_the_given_generator(initializer: Callable[..., Tensor]) -> None:
    def drawn(seed: int) -> Tensor:
        return initializer(torch.empty(3, 4), generator=torch.Generator().manual_seed(seed))

    before = torch.get_rng_state()
    assert torch.equal(drawn(1), drawn(1))
    assert not torch.equal(drawn(1), drawn(2))
    assert torch.equal(torch.get_rng_state(), before)
