"""Numbers of parameters: those of the reports' tables, and others worked out layer by layer."""

from collections.abc import Callable
from itertools import pairwise

import pytest
from omegaconf import DictConfig

from atelier.compose.targets import build

CIFAR10 = ("data=random_images", "data.shape=[3,32,32]", "data.num_classes=10")
GRAY28 = ("data=random_images", "data.shape=[1,28,28]", "data.num_classes=10")
DOGS_VS_CATS = ("data=random_images", "data.shape=[3,64,64]", "data.num_classes=2")


@pytest.fixture
def count(compose: Callable[..., DictConfig]) -> Callable[..., int]:
    """`count("network=mlp", *CIFAR10)`: how many numbers the network learns."""

    def counted(*overrides: str) -> int:
        network = build(compose(*overrides).network)
        return sum(parameter.numel() for parameter in network.parameters())

    return counted


def convolution(channels: int, width: int, kernel: int = 3, bias: bool = True) -> int:
    return channels * width * kernel**2 + width * bias


def linear(size: int, width: int) -> int:
    return (size + 1) * width


def batch_norm(*widths: int) -> int:
    return 2 * sum(widths)


@pytest.mark.parametrize(
    ("hidden", "parameters"),
    [
        ([100], 308_310),
        ([1000], 3_083_010),
        ([100, 100], 318_410),
        ([1000, 1000], 4_084_010),
        ([100, 100, 100], 328_510),
        ([1000, 1000, 1000], 5_085_010),
        ([100, 100, 100, 100], 338_610),
    ],
    ids=str,
)
def test_the_mlps_of_ascis_table_1(count: Callable[..., int], hidden: list[int], parameters: int) -> None:
    assert count("network=mlp", f"network.hidden={hidden}", *CIFAR10) == parameters


@pytest.mark.parametrize(
    ("network", "parameters"), [("shallow", 5_274_882), ("shallow_fat", 9_539_074), ("deep", 1_373_986)]
)
def test_the_networks_of_ift6135s_dogs_vs_cats(count: Callable[..., int], network: str, parameters: int) -> None:
    assert count(f"network={network}", *DOGS_VS_CATS) == parameters


def test_leidens_cnn(count: Callable[..., int]) -> None:
    dense = linear(3 * 3 * 256, 128) + linear(128, 64) + linear(64, 10)
    convolutions = convolution(1, 64, 7) + convolution(64, 128) + convolution(128, 128)
    convolutions += convolution(128, 256) + convolution(256, 256)
    assert count("network=cnn", *GRAY28) == convolutions + dense
    norms = batch_norm(64, 128, 128, 256, 256)
    assert count("network=cnn", "network.batch_norm=true", *GRAY28) == convolutions + norms + dense


def test_ascis_vgg(count: Callable[..., int]) -> None:
    widths = [64, 128, 256, 256, 512, 512, 512, 512]
    convolutions = sum(convolution(*pair) for pair in zip([3, *widths[:-1]], widths, strict=True))
    assert count("network=vgg", *CIFAR10) == convolutions + batch_norm(*widths) + linear(512, 10)


def test_elec576s_lenet5(count: Callable[..., int]) -> None:
    convolutions = convolution(1, 32, 5) + convolution(32, 64, 5)
    assert count("network=lenet5", *GRAY28) == convolutions + linear(7 * 7 * 64, 1024) + linear(1024, 10)


def test_elec576s_improved_lenet5(count: Callable[..., int]) -> None:
    convolutions = convolution(1, 32, 5) + convolution(32, 64) + convolution(64, 64)
    dense = linear(4 * 4 * 64, 256) + linear(256, 10)
    assert count("network=lenet5_bn", *GRAY28) == convolutions + batch_norm(32, 64, 64, 256) + dense


def test_the_fast_network(count: Callable[..., int]) -> None:
    widths = [24, 64, 64, 128, 128, 256, 256]
    convolutions = sum(convolution(*pair, bias=False) for pair in pairwise(widths))
    expected = convolution(3, 24, 2) + convolutions + batch_norm(*widths[1:]) + linear(256, 10)
    assert count("network=fast_cnn", *CIFAR10) == expected


def test_the_residual_network_of_20_layers(count: Callable[..., int]) -> None:
    widths = [16] * 7 + [32] * 6 + [64] * 6
    convolutions = sum(convolution(*pair, bias=False) for pair in zip([3, *widths[:-1]], widths, strict=True))
    shortcuts = convolution(16, 32, 1, bias=False) + convolution(32, 64, 1, bias=False)
    norms = batch_norm(*widths, 32, 64)
    expected = convolutions + shortcuts + norms + linear(64, 10)
    assert count("network=resnet", "network.width=16", "network.depth=3", *CIFAR10) == expected
