"""Every network of conf/, with every activation and initializer: forward, backward, sizes."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from omegaconf import DictConfig
from torch import Tensor, nn

from atelier.compose.targets import build

Compose = Callable[..., DictConfig]
CONF = Path(__file__).parents[2] / "conf"


def fitting_data(network: str) -> list[str]:
    """The override that gives a network the kind of data it asks for: classes, or the times of a clock."""
    text = (CONF / "network" / f"{network}.yaml").read_text()
    return ["data=random_images"] if "data.num_classes" in text else []


def output_size(config: DictConfig) -> int:
    return config.data.get("num_classes") or sum(config.encoding.outputs)


def run(config: DictConfig) -> tuple[nn.Module, Tensor, Tensor]:
    """The network, its output for two random images of the data's shape, and the images' gradient."""
    torch.manual_seed(0)
    network = build(config.network)
    images = torch.randn(2, *config.data.shape, requires_grad=True)
    output = network(images)
    output.square().sum().backward()
    assert images.grad is not None
    return network, output, images.grad


def test_a_network_learns_with_all_its_parameters(compose: Compose, network_option: str) -> None:
    network, output, _ = run(compose(f"network={network_option}", *fitting_data(network_option)))
    assert output.dtype == torch.float32
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name
        assert parameter.grad.any(), name


def test_the_output_has_the_encodings_sizes(compose: Compose, network_option: str, encoding_option: str) -> None:
    config = compose(f"network={network_option}", *fitting_data(network_option), f"encoding={encoding_option}")
    with torch.no_grad():
        output = build(config.network)(torch.randn(2, *config.data.shape))
    assert output.shape == (2, output_size(config))


def test_a_network_runs_with_every_activation(compose: Compose, network_option: str, activation_option: str) -> None:
    _, output, gradient = run(
        compose(f"network={network_option}", *fitting_data(network_option), f"activation={activation_option}")
    )
    assert output.isfinite().all()
    assert gradient.any()


def test_a_network_runs_with_every_initializer(compose: Compose, network_option: str, initializer_option: str) -> None:
    network, output, _ = run(
        compose(f"network={network_option}", *fitting_data(network_option), f"initializer={initializer_option}")
    )
    assert output.isfinite().all()
    assert all(parameter.grad is not None for parameter in network.parameters())


@pytest.mark.parametrize("side", [50, 100, 150])
def test_a_network_takes_other_image_sizes(compose: Compose, network_option: str, side: int) -> None:
    config = compose(f"network={network_option}", *fitting_data(network_option), f"data.shape=[1,{side},{side}]")
    with torch.no_grad():
        output = build(config.network)(torch.randn(2, *config.data.shape))
    assert output.shape == (2, output_size(config))


def test_equal_seeds_make_equal_networks(compose: Compose, network_option: str) -> None:
    first, second = (
        run(compose(f"network={network_option}", *fitting_data(network_option)))[0].state_dict() for _ in range(2)
    )
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_clock_cnn_normalises_each_convolution_if_told(compose: Compose) -> None:
    network, _, _ = run(compose("network=clock_cnn", "network.batch_norm=true"))
    kinds = [type(module) for module in network.modules()]
    assert kinds.count(nn.BatchNorm2d) == kinds.count(nn.Conv2d) == 5


def test_dropout_acts_in_training_only(compose: Compose) -> None:
    network = build(compose("network=clock_cnn_small", "network.dropout=0.5").network)
    images = torch.randn(8, 1, 75, 75)
    network.eval()
    assert torch.equal(network(images), network(images))
    network.train()
    assert not torch.equal(network(images), network(images))
