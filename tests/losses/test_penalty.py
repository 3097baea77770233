"""Penalties, against sums written out and their derivatives."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from omegaconf import DictConfig
from torch import nn

from atelier.compose.targets import build
from atelier.losses.penalty import l1, l2, none


@pytest.fixture
def network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(2, 3, 3), nn.BatchNorm2d(3), nn.Flatten(), nn.Linear(3, 4))


def weights(network: nn.Module) -> list[float]:
    convolution, _, _, linear = network
    return convolution.weight.flatten().tolist() + linear.weight.flatten().tolist()


def test_l1_is_the_sum_of_absolute_weights(network: nn.Module) -> None:
    assert l1(network, 0.3).item() == pytest.approx(0.3 * sum(abs(weight) for weight in weights(network)), rel=1e-5)


def test_l2_is_the_sum_of_squared_weights_without_a_half(network: nn.Module) -> None:
    assert l2(network, 0.3).item() == pytest.approx(0.3 * sum(weight**2 for weight in weights(network)), rel=1e-5)


def test_no_penalty_is_zero(network: nn.Module) -> None:
    assert none(network) == 0


def test_l2_pulls_each_weight_by_twice_itself(network: nn.Module) -> None:
    l2(network, 0.3).backward()
    linear = network[3]
    torch.testing.assert_close(linear.weight.grad, 2 * 0.3 * linear.weight.detach())


def test_l1_pulls_each_weight_by_its_sign(network: nn.Module) -> None:
    l1(network, 0.3).backward()
    linear = network[3]
    torch.testing.assert_close(linear.weight.grad, 0.3 * linear.weight.detach().sign())


@pytest.mark.parametrize("penalty", [l1, l2])
def test_biases_and_normalisation_are_free(network: nn.Module, penalty: Callable[..., torch.Tensor]) -> None:
    penalty(network, 0.3).backward()
    free = [parameter for parameter in network.parameters() if parameter.dim() == 1]
    assert len(free) == 4
    assert all(parameter.grad is None for parameter in free)


def test_every_option_is_a_penalty_on_a_network(
    compose: Callable[..., DictConfig], penalty_option: str, network: nn.Module
) -> None:
    assert build(compose(f"penalty={penalty_option}").penalty)(network) >= 0


@pytest.mark.parametrize("penalty", [l1, l2])
@pytest.mark.parametrize("bare", [nn.Identity(), nn.BatchNorm1d(3)])
def test_a_network_without_weights_has_none(penalty: Callable[..., torch.Tensor], bare: nn.Module) -> None:
    assert penalty(bare, 0.3).item() == 0


@pytest.mark.parametrize("penalty", [l1, l2])
@pytest.mark.parametrize("kind", [torch.float16, torch.bfloat16])
def test_the_penalty_of_weights_of_16_bits_is_summed_in_32(penalty: Callable[..., torch.Tensor], kind: Any) -> None:
    layer = nn.Linear(300, 300).to(kind)
    nn.init.constant_(layer.weight, 3.0)  # 90,000 of them: in 16 bits the sum would be infinite, or rounded to 1,024s
    expected = 0.5 * 90_000 * (3 if penalty is l1 else 9)
    assert penalty(layer, 0.5).item() == expected
    penalty(layer, 0.5).backward()
    assert layer.weight.grad is not None
    assert layer.weight.grad.dtype == kind
