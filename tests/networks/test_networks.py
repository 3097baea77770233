"""Every network of conf/, and every activation and initializer: forward, backward, sizes, dropout."""

import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest
import torch
from omegaconf import DictConfig, ListConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException
from torch import Tensor, nn

from atelier.compose.targets import build
from atelier.errors import InputError

Compose = Callable[..., DictConfig]
CONF = Path(__file__).parents[2] / "conf"
# Options that a network refuses, by its own rules.
REFUSED = {
    "scratch_mlp": {
        *("elu", "gelu", "silu"),
        *("deepboi", "glorot_uniform", "he_uniform", "lecun_normal", "orthogonal"),
    }
}


@dataclass(frozen=True)
class Kind:
    """Data that networks are made for, and the size of the output that it asks for."""

    overrides: tuple[str, ...]
    outputs: Callable[[DictConfig], int]


KINDS = (
    Kind(("data=random_images", "data.shape=[3,32,32]"), lambda config: config.data.num_classes),
    Kind(("data=clocks", "encoding=angles"), lambda config: sum(config.encoding.outputs)),
    Kind(("data=digit_pairs",), lambda config: 2 + 2 * config.data.num_classes),
)


Fit = Callable[[str], tuple[Kind, DictConfig]]


@pytest.fixture(scope="session")
def fit(compose: Compose) -> Fit:
    """The first kind of data that a network is content with, and the configuration of both."""

    @cache
    def found(network: str) -> tuple[Kind, DictConfig]:
        for kind in KINDS:
            config = compose(f"network={network}", *kind.overrides)
            try:
                build(config.network)
            except (InputError, OmegaConfBaseException):
                continue
            return kind, config
        raise AssertionError(f"network={network} builds for none of the KINDS of data: add the one that it is made for")

    return found


@pytest.fixture
def kind(fit: Fit, network_option: str) -> Kind:
    return fit(network_option)[0]


@pytest.fixture
def config(fit: Fit, network_option: str) -> DictConfig:
    """The configuration with the network under test and data that suits it, for a test to change."""
    return fit(network_option)[1].copy()


def option(group: str, name: str) -> DictConfig:
    """What `group=name` puts into a configuration: composing it anew for every test would take most of their time."""
    loaded = OmegaConf.load(CONF / group / f"{name}.yaml")
    assert isinstance(loaded, DictConfig)
    assert "defaults" not in loaded
    return loaded


def run(config: DictConfig) -> tuple[nn.Module, Tensor, Tensor]:
    """The network, its output for four random inputs of the data's shape, and their gradient."""
    torch.manual_seed(0)
    network = build(config.network)
    inputs = torch.randn(4, *config.data.shape, requires_grad=True)
    output = network(inputs)
    output.square().sum().backward()
    assert inputs.grad is not None
    return network, output, inputs.grad


def output_for(config: DictConfig, *sides: int) -> Tensor:
    """What the network makes of two random inputs of the data's shape; or of these sides, if given."""
    if sides:
        config.data.shape = [config.data.shape[0], *sides]
    if isinstance(config.network.get("hidden"), ListConfig):
        config.network.hidden = [8]  # a wide layer behind large maps would take a second to make
    with torch.no_grad():
        return build(config.network)(torch.randn(2, *config.data.shape))


def least_side(config: DictConfig) -> int:
    """The least side of a picture that the network under test takes, read from what it says to a single pixel."""
    try:
        output_for(config, 1, 1)
    except InputError as error:
        (least,) = re.findall(r"^data\.shape=.* at least (\d+)$", str(error))
        return int(least)
    return 1


def test_a_network_learns_with_all_its_parameters(config: DictConfig) -> None:
    network, output, _ = run(config)
    assert output.dtype == torch.float32
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name
        assert parameter.grad.any(), name


def test_the_output_has_the_size_that_the_data_or_the_encoding_asks_for(config: DictConfig, kind: Kind) -> None:
    if "encoding" in config and config.encoding:
        for file in (CONF / "encoding").glob("*.yaml"):
            config.encoding = option("encoding", file.stem)
            assert output_for(config).shape == (2, kind.outputs(config))
    else:
        config.data.num_classes = 7
        assert output_for(config).shape == (2, kind.outputs(config))


@pytest.mark.parametrize("activation", ["tanh", "leaky_relu"])
def test_a_network_has_the_activation_that_is_chosen(config: DictConfig, activation: str) -> None:
    """Here each network with two, below each activation with two networks: what one gets wrong, it does with both."""
    before = run(config)[1]
    config.activation = option("activation", activation)
    _, output, gradient = run(config)
    assert output.isfinite().all()
    assert gradient.any()
    assert torch.equal(output, before) == ("activation" not in config.network), "recurrent ones have their own"


@pytest.mark.parametrize("initializer", ["normal", "zeros"])
def test_a_network_has_the_initializer_that_is_chosen(config: DictConfig, initializer: str) -> None:
    before = run(config)[1]
    config.initializer = option("initializer", initializer)
    network, output, _ = run(config)
    assert output.isfinite().all()
    assert all(parameter.grad is not None for parameter in network.parameters())
    assert not torch.equal(output, before)


@pytest.fixture(params=["lenet5_bn", "scratch_mlp"])
def network(request: pytest.FixtureRequest) -> str:
    """Convolutions, dense layers and batch norm of torch's, and the framework without autograd."""
    return request.param


def test_every_activation_runs(fit: Fit, network: str, activation_option: str) -> None:
    config = fit(network)[1].copy()
    config.activation = option("activation", activation_option)
    if activation_option in REFUSED.get(network, ()):
        with pytest.raises(InputError, match=r"^activation: .* choose from: "):
            build(config.network)
        return
    _, output, gradient = run(config)
    assert output.isfinite().all()
    assert gradient.any()


def test_every_initializer_runs(fit: Fit, network: str, initializer_option: str) -> None:
    config = fit(network)[1].copy()
    config.initializer = option("initializer", initializer_option)
    if initializer_option in REFUSED.get(network, ()):
        with pytest.raises(InputError, match=r"^initializer: .* choose from: "):
            build(config.network)
        return
    made, output, _ = run(config)
    assert output.isfinite().all()
    assert all(parameter.grad is not None for parameter in made.parameters())


@pytest.mark.parametrize("sides", [(8, 8), (28, 28), (64, 48)], ids=str)
def test_a_network_takes_inputs_of_any_size_from_a_least_one_on(
    config: DictConfig, kind: Kind, sides: tuple[int, int]
) -> None:
    if min(sides) < least_side(config):
        with pytest.raises(InputError, match=r"^data\.shape="):
            output_for(config, *sides)
    else:
        assert output_for(config, *sides).shape == (2, kind.outputs(config))


def test_the_least_side_that_a_network_names_is_enough(config: DictConfig, kind: Kind) -> None:
    least = least_side(config)
    assert output_for(config, least, least).shape == (2, kind.outputs(config))
    for sides in ((least - 1, least), (least, least - 1)) if least > 1 else ():
        with pytest.raises(InputError, match=f"at least {least}$"):
            output_for(config, *sides)


def test_equal_seeds_make_equal_networks(config: DictConfig) -> None:
    first, second = (run(config)[0].state_dict() for _ in range(2))
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_each_layer_acts_once_in_a_forward(config: DictConfig) -> None:
    """Callbacks that watch the layers see each of them once."""
    network = build(config.network)
    layers = [layer for layer in network.modules() if not list(layer.children())]
    acted: list[nn.Module] = []
    for layer in layers:
        layer.register_forward_hook(lambda layer, inputs, output: acted.append(layer))
    network(torch.randn(2, *config.data.shape))
    assert Counter(acted) == Counter(layers)


def test_dropout_acts_in_training_only(config: DictConfig) -> None:
    config.network.dropout = 0.5
    if isinstance(config.network.get("hidden"), ListConfig):  # vgg has no hidden layers whose units could be dropped
        config.network.hidden = [16]
    network = build(config.network)
    inputs = torch.randn(8, *config.data.shape)
    network.eval()
    assert torch.equal(network(inputs), network(inputs))
    network.train()
    assert not torch.equal(network(inputs), network(inputs))


@pytest.mark.parametrize("name", [file.stem for file in sorted((CONF / "network").glob("*.yaml"))])
def test_no_network_needs_its_numbers_to_be_made(fit: Fit, name: str) -> None:
    """So that a sweep can try them all before its first job."""
    _, config = fit(name)
    with torch.device("meta"):
        made = build(config.network)
    assert all(parameter.is_meta for parameter in made.parameters())
