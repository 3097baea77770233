"""What the networks of the reports are made of, layer by layer, and what their keys change."""

import math
from collections.abc import Callable

import pytest
import torch
from omegaconf import DictConfig
from torch import nn

from atelier.compose.targets import build
from atelier.errors import InputError
from atelier.networks.initialize import Initializer
from atelier.networks.resnet import ResidualBlock

Compose = Callable[..., DictConfig]
Network = Callable[..., nn.Module]
BLOCK = ["Conv2d", "BatchNorm2d", "ReLU", "MaxPool2d"]
HIDDEN = ["Linear", "BatchNorm1d", "ReLU", "Dropout"]


@pytest.fixture
def network(compose: Compose) -> Network:
    """`network("network=cnn")`: as configured, for gray pictures of 28 px and ten classes unless told otherwise."""

    def built(*overrides: str) -> nn.Module:
        return build(compose("data=random_images", *overrides).network)

    return built


def kinds(part: nn.Module) -> list[str]:
    return [type(layer).__name__ for layer in part.modules() if not list(layer.children())]


def sizes(part: nn.Module) -> list[tuple[int, int]]:
    """Width and filter side of each convolution."""
    return [(layer.out_channels, layer.kernel_size[0]) for layer in part.modules() if isinstance(layer, nn.Conv2d)]


# ---------------------------------------------------------------------- the layers in order


def test_an_mlp_of_any_hidden_layers(network: Network) -> None:
    made = network("network=mlp", "network.hidden=[30,20,10]", "network.dropout=0.2")
    assert kinds(made) == ["Flatten", *["Linear", "ReLU", "Dropout"] * 3, "Linear"]
    widths = [layer.out_features for layer in made.modules() if isinstance(layer, nn.Linear)]
    assert widths == [30, 20, 10, 10]
    assert {layer.p for layer in made.modules() if isinstance(layer, nn.Dropout)} == {0.2}


def test_an_mlp_with_batch_norm_before_each_activation(network: Network) -> None:
    assert kinds(network("network=mlp", "network.batch_norm=true")) == ["Flatten", *HIDDEN * 2, "Linear"]


def test_an_mlp_without_hidden_layers_is_linear(network: Network) -> None:
    assert kinds(network("network=mlp", "network.hidden=[]")) == ["Flatten", "Linear"]


def test_leidens_cnn(network: Network) -> None:
    made = network("network=cnn")
    convolution = ["Conv2d", "ReLU"]
    groups = [*convolution, "MaxPool2d", *convolution * 2, "MaxPool2d", *convolution * 2, "MaxPool2d"]
    assert kinds(made.features) == groups
    assert sizes(made) == [(64, 7), (128, 3), (128, 3), (256, 3), (256, 3)]
    assert kinds(made.classifier) == ["Flatten", *["Linear", "ReLU", "Dropout"] * 2, "Linear"]


@pytest.mark.parametrize("name", ["cnn", "clock_cnn"])
def test_leidens_cnns_normalise_each_convolution_and_nothing_else_if_told(compose: Compose, name: str) -> None:
    data = ["data=clocks", "encoding=angles"] if name == "clock_cnn" else ["data=random_images"]
    made = kinds(build(compose(f"network={name}", *data, "network.batch_norm=true").network))
    assert made.count("BatchNorm2d") == made.count("Conv2d") == 5
    assert made.count("BatchNorm1d") == 0


@pytest.mark.parametrize("hidden", [[64], [128, 64], [256, 128], [256, 128, 64]], ids=str)
def test_the_dense_part_of_leidens_cnn(network: Network, hidden: list[int]) -> None:
    classifier = network("network=cnn", f"network.hidden={hidden}").classifier
    widths = [layer.out_features for layer in classifier.modules() if isinstance(layer, nn.Linear)]
    assert widths == [*hidden, 10]


@pytest.mark.parametrize("name", ["cnn", "conv_blocks"])
def test_the_dense_part_may_have_an_activation_of_its_own(network: Network, name: str) -> None:
    made = network(f"network={name}", "activation=elu", "+activation@network.dense_activation=tanh")
    assert "ELU" in kinds(made.features)
    assert "ELU" not in kinds(made.classifier)
    assert "Tanh" in kinds(made.classifier)
    assert "Tanh" not in kinds(made.features)


@pytest.mark.parametrize(
    ("name", "widths"),
    [("shallow", [16, 32, 64]), ("shallow_fat", [32, 64, 128]), ("deep", [32, 64, 128, 64, 32])],
)
def test_ift6135s_blocks(network: Network, name: str, widths: list[int]) -> None:
    made = network(f"network={name}", "data.shape=[3,64,64]")
    assert kinds(made.features) == BLOCK * len(widths)
    assert sizes(made) == [(width, 3) for width in widths]
    assert kinds(made.classifier) == ["Flatten", *HIDDEN * 2, "Linear"]


def test_ascis_vgg(network: Network) -> None:
    made = network("network=vgg", "data.shape=[3,32,32]")
    pair = [*BLOCK[:3], *BLOCK]
    assert kinds(made.features) == [*BLOCK * 2, *pair * 3]
    assert sizes(made) == [(width, 3) for width in (64, 128, 256, 256, 512, 512, 512, 512)]
    assert kinds(made.classifier) == ["Flatten", "Linear"]


def test_blocks_as_numbers_or_as_lists_of_one_are_the_same(network: Network) -> None:
    first, second = (network("network=conv_blocks", f"network.blocks={blocks}") for blocks in ("[8,16]", "[[8],[16]]"))
    assert str(first) == str(second)


def test_blocks_without_batch_norm(network: Network) -> None:
    made = kinds(network("network=conv_blocks", "network.batch_norm=false"))
    assert not [kind for kind in made if kind.startswith("BatchNorm")]


def test_elec576s_lenet5(network: Network) -> None:
    made = network("network=lenet5")
    assert kinds(made.features) == ["Conv2d", "ReLU", "MaxPool2d"] * 2
    assert sizes(made) == [(32, 5), (64, 5)]
    assert made.features(torch.randn(1, 1, 28, 28)).shape == (1, 64, 7, 7)


def test_elec576s_improved_lenet5(network: Network) -> None:
    made = network("network=lenet5_bn")
    block = ["Conv2d", "ReLU", "MaxPool2d", "BatchNorm2d"]
    assert kinds(made.features) == [*block * 2, "Dropout", *block]
    assert sizes(made) == [(32, 5), (64, 3), (64, 3)]
    assert made.features(torch.randn(2, 1, 28, 28)).shape == (2, 64, 4, 4)
    assert kinds(made.classifier) == ["Flatten", "Linear", "ReLU", "BatchNorm1d", "Dropout", "Linear"]


# ---------------------------------------------------------------------- the residual network


def test_the_stages_of_a_residual_network_halve_the_sides_and_double_the_channels(network: Network) -> None:
    made = network("network=resnet", "network.width=4", "network.depth=2")
    shapes = []
    maps = torch.randn(2, 1, 30, 26)
    for layer in made.features[:-1]:
        maps = layer(maps)
        shapes += [tuple(maps.shape[1:])] if isinstance(layer, ResidualBlock) else []
    assert shapes == [(4, 30, 26)] * 2 + [(8, 15, 13)] * 2 + [(16, 8, 7)] * 2


def test_a_residual_block_adds_to_its_input() -> None:
    block = ResidualBlock(3, 3, stride=1, activation=nn.ReLU)
    images = torch.randn(2, 3, 6, 6)
    residual = block.residual(images)
    torch.testing.assert_close(block(images), (images + residual).clamp(min=0))
    assert residual.any()


def test_a_residual_network_of_zero_weights_passes_its_input_on() -> None:
    block = ResidualBlock(3, 3, stride=1, activation=nn.Identity)
    Initializer(nn.init.zeros_)(block)
    images = torch.randn(2, 3, 6, 6)
    torch.testing.assert_close(block(images), images)


# ---------------------------------------------------------------------- the fast network


def test_a_block_of_the_fast_network_pools_before_its_first_norm(network: Network) -> None:
    made = network("network=fast_cnn", "network.stem=5", "network.widths=[4, 6]", "activation=gelu")
    block = ["Conv2d", "MaxPool2d", "BatchNorm2d", "GELU", "Conv2d", "BatchNorm2d", "GELU"]
    assert kinds(made.features) == ["Conv2d", "GELU", *block * 2, "AdaptiveMaxPool2d"]
    assert sizes(made) == [(5, 2), (4, 3), (4, 3), (6, 3), (6, 3)]
    assert made.features[:-1](torch.randn(2, 1, 28, 28)).shape == (2, 6, 6, 6)


# ---------------------------------------------------------------------- inputs that do not fit


@pytest.mark.parametrize(
    ("name", "shape", "said"),
    [
        ("vgg", [1, 28, 28], "data.shape=[1, 28, 28]: the network ConvBlocks takes pictures .* at least 32"),
        ("cnn", [3, 64, 7], "data.shape=[3, 64, 7]: the network CNN takes pictures .* at least 8"),
        ("lenet5", [28, 28], "data.shape=[28, 28]: the network LeNet5 takes pictures .*channels, height, width"),
        ("fast_cnn", [1, 8, 8], "data.shape=[1, 8, 8]: the network FastCNN takes pictures .* at least 9"),
        ("resnet", [20], "data.shape=[20]: the network ResNet takes pictures .*channels, height, width"),
    ],
)
def test_inputs_that_are_no_pictures_or_too_small_are_told_in_a_line(
    network: Network, name: str, shape: list[int], said: str
) -> None:
    with pytest.raises(InputError, match=f"^{said.replace('[', '.').replace(']', '.')}"):
        network(f"network={name}", f"data.shape={shape}")


def test_strides_count_for_the_least_side(compose: Compose) -> None:
    config = compose("network=clock_cnn", "data=clocks", "encoding=angles", "data.shape=[1,20,20]")
    # The third pool needs 2 pixels, so the second 4 behind a stride of 2, that is 7; so the first 14 of at least 27.
    with pytest.raises(InputError, match=r"ClockCNN .* at least 27$"):
        build(config.network)


@pytest.mark.parametrize("name", ["mlp", "cnn", "conv_blocks"])
def test_batch_norm_as_keras_has_it(network: Network, name: str) -> None:
    """Keras: moving = 0.99 · moving + 0.01 · batch, and y = (x − mean) / √(variance + 0.001)."""
    made = network(f"network={name}", "network.batch_norm=keras")
    layer = next(part for part in made.modules() if isinstance(part, nn.BatchNorm1d | nn.BatchNorm2d))
    size = (4, layer.num_features) if isinstance(layer, nn.BatchNorm1d) else (4, layer.num_features, 2, 2)
    inputs = torch.linspace(-0.1, 0.2, math.prod(size)).reshape(size)
    rows = inputs.transpose(0, 1).flatten(1).double()  # (channels, values)
    mean, variance = rows.mean(1, keepdim=True), rows.var(1, unbiased=False, keepdim=True)
    expected = (rows - mean) / (variance + 0.001).sqrt()
    torch.testing.assert_close(layer(inputs).transpose(0, 1).flatten(1).double(), expected, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(layer.running_mean.double(), 0.01 * mean.flatten(), rtol=1e-4, atol=1e-7)


def test_all_of_a_networks_batch_norms_are_keras(network: Network) -> None:
    layers = [
        (part.eps, part.momentum)
        for name in ("mlp", "cnn", "conv_blocks")
        for part in network(f"network={name}", "network.batch_norm=keras").modules()
        if isinstance(part, nn.BatchNorm1d | nn.BatchNorm2d)
    ]
    assert layers == [(0.001, 0.01)] * len(layers)
    assert len(layers) == 2 + 5 + 7


def test_the_activation_of_a_clocks_outputs_bounds_them(compose: Compose) -> None:
    small = ["network=clock_cnn", "data=clocks", "encoding=angles", "data.image_size=64", "network.hidden=[4]"]
    linear, bounded = (
        build(compose(*small, *more).network).eval() for more in ([], ["+activation@network.output=tanh"])
    )
    bounded.load_state_dict(linear.state_dict())
    images = torch.randn(2, 1, 64, 64)
    torch.testing.assert_close(bounded(images), linear(images).tanh())
