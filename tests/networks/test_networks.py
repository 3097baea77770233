"""Every network of conf/, and every activation and initializer: forward, backward, sizes, dropout."""

import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch
from omegaconf import DictConfig, ListConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException
from torch import Tensor, nn

from atelier.compose.build import check_networks
from atelier.compose.targets import build
from atelier.errors import InputError

Compose = Callable[..., DictConfig]
CONF = Path(__file__).parents[2] / "conf"
# What the framework without autograd lacks.
LACKING = {
    "activation": ("elu", "gelu", "silu"),
    "initializer": ("deepboi", "glorot_uniform", "he_uniform", "lecun_normal", "orthogonal"),
}


@dataclass(frozen=True)
class Kind:
    """Data that networks are made for, and the size of the output that it asks for, where that is known."""

    overrides: tuple[str, ...]
    outputs: Callable[[DictConfig], int | None] = lambda config: None


KINDS = (
    Kind(("data=random_images", "data.shape=[3,32,32]"), lambda config: config.data.num_classes),
    Kind(("data=clocks", "encoding=angles"), lambda config: sum(config.encoding.outputs)),
    Kind(("data=digit_pairs",), lambda config: 2 + 2 * config.data.num_classes),
)


Fit = Callable[[str], tuple[Kind, DictConfig]]


@pytest.fixture(scope="session")
def fit(compose: Compose, context: Callable[[str, str], list[str]]) -> Fit:
    """The first kind of data that a network is content with, or that of the first experiment that has the network."""

    @cache
    def found(network: str) -> tuple[Kind, DictConfig]:
        told: Exception | None = None
        for kind in (*KINDS, Kind(tuple(context("network", network)))):
            config = compose(*kind.overrides, f"network={network}")
            try:
                build(config.network)
            except (InputError, OmegaConfBaseException) as error:
                told = error
                continue
            return kind, config
        raise AssertionError(f"network={network} needs other data: write an experiment that has both ({told})")

    return found


@pytest.fixture
def kind(fit: Fit, network_option: str) -> Kind:
    return fit(network_option)[0]


@pytest.fixture
def config(fit: Fit, network_option: str) -> DictConfig:
    """The configuration with the network under test and data that suits it, for a test to change."""
    return fit(network_option)[1].copy()


@pytest.fixture(scope="module")
def ran() -> dict[str, tuple[nn.Module, Tensor, Tensor]]:
    """{network: what `run` makes of it as it is configured}, filled by `plain`."""
    return {}


@pytest.fixture
def plain(ran: Any, config: DictConfig, network_option: str) -> tuple[nn.Module, Tensor, Tensor]:
    """What `run` makes of the network under test as it is configured; three tests read it."""
    if network_option not in ran:
        ran[network_option] = run(config)
    return ran[network_option]


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


def refusal(config: DictConfig, *sides: int) -> str:
    """What the network under test says to pictures of these sides; "" if it takes them."""
    try:
        output_for(config.copy(), *sides)
    except InputError as error:
        return str(error)
    except Exception as error:
        name, given = config.network._target_, config.data.shape
        told = f"{type(error).__name__} of pictures {sides}; raise InputError('data.shape=…: what it needs')"
        raise AssertionError(f"{name} (data.shape={given}) raises {told}, see docs/adding.md") from error
    return ""


@pytest.fixture
def least(config: DictConfig, network_option: str) -> int:
    """The least side of a picture that the network under test takes."""
    if len(config.data.shape) != 3:
        return 1
    if network_option not in LEAST:
        low, high = 0, 64
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if refusal(config, middle, middle) else (low, middle)
        LEAST[network_option] = high
        assert high == 1 or refusal(config, high - 1, high - 1).startswith("data.shape=")
    return LEAST[network_option]


LEAST: dict[str, int] = {}


def test_a_network_learns_with_all_its_parameters(plain: tuple[nn.Module, Tensor, Tensor]) -> None:
    network, output, _ = plain
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
        output = output_for(config)
        assert len(output) == 2
        assert kind.outputs(config) in (None, *output.shape[1:])


def test_a_network_has_the_activation_that_is_chosen(config: DictConfig, plain: Any) -> None:
    """Here each network with one, below each activation with two networks: what one gets wrong, it does with both."""
    _, before, _ = plain
    config.activation = option("activation", "tanh")
    _, output, gradient = run(config)
    assert output.isfinite().all()
    assert gradient.any()
    assert torch.equal(output, before) == ("activation" not in config.network), "recurrent ones have their own"


def test_a_network_has_the_initializer_that_is_chosen(config: DictConfig, plain: Any) -> None:
    _, before, _ = plain
    config.initializer = option("initializer", "normal")
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
    if network == "scratch_mlp" and is_lacking(config, "activation"):
        return
    _, output, gradient = run(config)
    assert output.isfinite().all()
    assert gradient.any()


def test_every_initializer_runs(fit: Fit, network: str, initializer_option: str) -> None:
    config = fit(network)[1].copy()
    config.initializer = option("initializer", initializer_option)
    if network == "scratch_mlp" and is_lacking(config, "initializer"):
        return
    made, output, _ = run(config)
    assert output.isfinite().all()
    assert all(parameter.grad is not None for parameter in made.parameters())


def is_lacking(config: DictConfig, group: str) -> bool:
    """Whether the framework without autograd refuses the option, with its choices."""
    try:
        build(config.network)
    except InputError as error:
        return bool(re.match(rf"{group}: .* choose from: ", str(error)))
    return False


@pytest.mark.parametrize("group", LACKING)
def test_the_framework_without_autograd_has_all_but_these(fit: Fit, group: str) -> None:
    config = fit("scratch_mlp")[1].copy()
    for name in LACKING[group]:
        config[group] = option(group, name)
        with pytest.raises(InputError, match=rf"^{group}: .* choose from: ") as told:
            build(config.network)
    for name in str(told.value).rpartition("choose from: ")[2].split(", "):
        config[group] = option(group, name)
        build(config.network)


@pytest.mark.parametrize("sides", [(8, 8), (28, 28), (64, 48)], ids=str)
def test_a_network_takes_inputs_of_any_size_from_a_least_one_on(
    config: DictConfig, least: int, sides: tuple[int, int]
) -> None:
    if len(config.data.shape) != 3:
        return  # it is made for other inputs than pictures
    assert bool(refusal(config, *sides)) == (min(sides) < least)


def test_the_least_side_is_named_to_smaller_pictures(config: DictConfig, least: int) -> None:
    if len(config.data.shape) != 3:
        return
    assert refusal(config, least, least) == ""
    for sides in ((least - 1, least), (least, least - 1)) if least > 1 else ():
        assert str(least) in re.findall(r"\d+", refusal(config, *sides))


def test_equal_seeds_make_equal_networks(config: DictConfig) -> None:
    states = []
    for _ in range(2):
        torch.manual_seed(0)
        states.append(build(config.network).state_dict())
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])


def test_each_layer_acts_once_in_a_forward(config: DictConfig) -> None:
    """Callbacks that watch the layers see each of them once; torch's attention is a layer with all its weights."""
    network = build(config.network)
    inside = {part for layer in network.modules() if isinstance(layer, ATTENTION) for part in layer.children()}
    layers = {layer: name for name, layer in network.named_modules() if layer not in inside}
    names = {one: name for one, name in layers.items() if isinstance(one, ATTENTION) or not list(one.children())}
    acted: list[nn.Module] = []
    for layer in names:
        layer.register_forward_hook(lambda layer, inputs, output: acted.append(layer))
    network(torch.randn(2, *config.data.shape))
    times = Counter(acted)
    other = [f"{name} acts {times[layer]} times" for layer, name in names.items() if times[layer] != 1]
    assert other == [], "make a layer (an activation too) for each place where it acts, see docs/adding.md"


def test_dropout_acts_in_training_only(config: DictConfig) -> None:
    if "dropout" not in config.network:
        assert not [layer for layer in build(config.network).modules() if isinstance(layer, DROPOUT)], "give it a key"
        return
    config.network.dropout = 0.5
    if isinstance(config.network.get("hidden"), ListConfig):  # vgg has no hidden layers whose units could be dropped
        config.network.hidden = [16]
    network = build(config.network)
    inputs = torch.randn(8, *config.data.shape)
    network.eval()
    assert torch.equal(network(inputs), network(inputs))
    network.train()
    assert not torch.equal(network(inputs), network(inputs))


DROPOUT = nn.modules.dropout._DropoutNd
ATTENTION = nn.MultiheadAttention


def test_a_sweep_can_check_a_network_before_its_first_job(config: DictConfig) -> None:
    check_networks(config)
