"""Initializers: the variance that each one's paper states, zero biases, the rest as it was."""

from collections.abc import Callable

import pytest
import torch
from omegaconf import DictConfig
from torch import nn
from torchvision import models

from atelier.compose.targets import build
from atelier.networks.initialize import Initializer

Compose = Callable[..., DictConfig]

# Variance of a weight with so many inputs and outputs.
VARIANCES: dict[str, Callable[[int, int], float]] = {
    "zeros": lambda fan_in, fan_out: 0.0,
    "normal": lambda fan_in, fan_out: 0.05**2,
    "normal_05": lambda fan_in, fan_out: 0.5**2,
    "lecun_normal": lambda fan_in, fan_out: 1 / fan_in,
    "glorot_normal": lambda fan_in, fan_out: 2 / (fan_in + fan_out),
    "glorot_uniform": lambda fan_in, fan_out: 2 / (fan_in + fan_out),
    "he_normal": lambda fan_in, fan_out: 2 / fan_in,
    "he_uniform": lambda fan_in, fan_out: 2 / fan_in,
}


def initialized(compose: Compose, name: str, network: nn.Module) -> nn.Module:
    torch.manual_seed(0)
    build(compose(f"initializer={name}").initializer)(network)
    return network


def state(network: nn.Module) -> dict[str, torch.Tensor]:
    return {name: tensor.clone() for name, tensor in network.state_dict().items()}


@pytest.mark.parametrize("name", VARIANCES)
@pytest.mark.parametrize(
    ("layer", "fans"),
    [(nn.Linear(300, 500), (300, 500)), (nn.Conv2d(40, 80, 3), (40 * 9, 80 * 9))],
    ids=["linear", "convolution"],
)
def test_weights_have_zero_mean_and_the_stated_variance(
    compose: Compose, name: str, layer: nn.Module, fans: tuple[int, int]
) -> None:
    weight = initialized(compose, name, layer).weight
    variance = VARIANCES[name](*fans)
    assert weight.var().item() == pytest.approx(variance, rel=0.05)
    assert weight.mean().item() == pytest.approx(0, abs=4 * (variance / weight.numel()) ** 0.5)


@pytest.mark.parametrize("name", ["glorot_uniform", "he_uniform"])
def test_uniform_weights_fill_an_interval(compose: Compose, name: str) -> None:
    weight = initialized(compose, name, nn.Linear(300, 500)).weight
    limit = (3 * VARIANCES[name](300, 500)) ** 0.5
    assert 0.99 * limit < weight.abs().max().item() <= limit


def test_orthogonal_rows_are_perpendicular_and_of_length_one(compose: Compose) -> None:
    weight = initialized(compose, "orthogonal", nn.Linear(64, 32)).weight
    torch.testing.assert_close(weight @ weight.T, torch.eye(32), atol=1e-5, rtol=0)


def test_default_touches_nothing(compose: Compose) -> None:
    network = nn.Sequential(nn.Linear(3, 4), nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2))
    before = state(network)
    after = state(initialized(compose, "default", network))
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_biases_are_zero_unless_left_to_their_layer(compose: Compose, initializer_option: str) -> None:
    linear = nn.Linear(3, 4)
    nn.init.constant_(linear.bias, 7.0)
    bias = initialized(compose, initializer_option, linear).bias
    assert (bias == (7 if initializer_option in ("default", "deepboi") else 0)).all()


def test_batch_norm_is_untouched(compose: Compose, initializer_option: str) -> None:
    norm = nn.BatchNorm2d(3)
    nn.init.constant_(norm.weight, 2.0)
    nn.init.constant_(norm.bias, 3.0)
    initialized(compose, initializer_option, nn.Sequential(nn.Conv2d(1, 3, 3), norm))
    assert (norm.weight == 2).all()
    assert (norm.bias == 3).all()


def test_deepboi_has_glorot_uniform_with_relus_gain_in_its_convolutions_alone(compose: Compose) -> None:
    network = nn.Sequential(nn.Conv2d(40, 80, 3), nn.BatchNorm2d(80), nn.Linear(300, 500))
    before = state(network)
    after = state(initialized(compose, "deepboi", network))
    assert {name for name in before if not torch.equal(before[name], after[name])} == {"0.weight"}
    weight, limit = after["0.weight"], (2 * 6 / (40 * 9 + 80 * 9)) ** 0.5
    assert weight.var().item() == pytest.approx(limit**2 / 3, rel=0.05)
    assert 0.99 * limit < weight.abs().max().item() <= limit


def test_what_is_left_alone_is_told_apart() -> None:
    network = nn.Sequential(nn.Conv2d(1, 2, 3), nn.ConvTranspose2d(2, 1, 3), nn.Linear(2, 2))
    for layer in network:
        nn.init.constant_(layer.bias, 7.0)
    Initializer(lambda weight: nn.init.constant_(weight, 5.0), convolutions_only=True)(network)
    assert [bool((layer.weight == 5).all()) for layer in network] == [True, True, False]
    assert [layer.bias[0].item() for layer in network] == [0, 0, 7]


def test_layers_inside_of_layers_are_reached() -> None:
    network = nn.Sequential(nn.Sequential(nn.Sequential(nn.Linear(2, 2))), nn.ModuleList([nn.Linear(2, 2)]))
    Initializer(lambda weight: nn.init.constant_(weight, 5.0))(network)
    assert all((parameter == 5).all() for parameter in network.parameters() if parameter.dim() > 1)


def test_initializing_records_no_gradient() -> None:
    linear = nn.Linear(2, 2)
    Initializer(lambda weight: weight.mul_(2))(linear)  # in place on a leaf: an error while gradients are recorded
    assert linear.weight.is_leaf


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        ("convnext_tiny", ["layer_scale"]),
        ("swin_t", ["relative_position_bias_table"]),
        ("swin_v2_t", ["logit_scale"]),
        ("vit_b_32", ["class_token", "pos_embedding"]),
    ],
)
def test_what_is_no_layers_weight_stays_as_its_network_sets_it(compose: Compose, name: str, kept: list[str]) -> None:
    """Such as the 1e-6 of ConvNeXt's scales, with which its blocks begin as good as absent."""
    made = models.get_model(name, weights=None)
    before = state(made)
    changed = {
        key for key, tensor in state(initialized(compose, "he_normal", made)).items() if (tensor != before[key]).any()
    }
    others = {key for key in before if any(word in key for word in kept)}
    assert others
    assert not others & changed
    weights = {key for key, tensor in before.items() if key.endswith("weight") and tensor.dim() > 1}
    assert weights <= changed


def test_matrices_of_ones_own_are_weights(compose: Compose) -> None:
    class Own(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            for name in ("kernel", "weight_pos", "transposed", "exposure", "upscale"):
                self.register_parameter(name, nn.Parameter(torch.zeros(30, 20)))

    made = initialized(compose, "he_normal", Own())
    assert all(bool(parameter.any()) for parameter in made.parameters())
