"""The shell around the framework's multilayer perceptron: torch's numbers, one memory, and what it lacks."""

import copy
import math
from collections.abc import Callable

import pytest
import torch
from omegaconf import DictConfig

from atelier.compose.targets import build
from atelier.errors import InputError
from atelier.networks.scratch_mlp import INITIALIZERS, ScratchMLP, own
from atelier.scratch.activations import Sigmoid

Compose = Callable[..., DictConfig]
Make = Callable[..., ScratchMLP]
SMALL = ["data=digits", "network=scratch_mlp", "network.hidden=[200,100]"]


@pytest.fixture
def make(compose: Compose) -> Make:
    def made(*overrides: str) -> ScratchMLP:
        torch.manual_seed(0)
        return build(compose(*SMALL, *overrides).network)

    return made


@pytest.mark.parametrize("activation", ["relu", "leaky_relu_02", "tanh", "sigmoid", "identity"])
@pytest.mark.parametrize("batch_norm", [True, False])
def test_it_computes_what_torchs_network_does(make: Make, compose: Compose, activation: str, batch_norm: bool) -> None:
    ours = make(f"activation={activation}", f"network.batch_norm={batch_norm}")
    other = compose("data=digits", "network=mlp", "network.hidden=[200,100]", f"network.batch_norm={batch_norm}")
    other.activation = compose(f"activation={activation}").activation
    theirs = build(other.network)
    learned = [(name, value) for name, value in theirs.named_parameters()]
    assert [value.shape for _, value in learned] == [value.shape for value in ours.parameters()]
    theirs.load_state_dict(dict(zip((name for name, _ in learned), ours.parameters(), strict=True)), strict=False)
    inputs = torch.randn(16, 1, 8, 8)
    for mode in (True, False):
        torch.testing.assert_close(ours.train(mode)(inputs), theirs.train(mode)(inputs), rtol=1e-4, atol=1e-5)
    assert not any(value.requires_grad for value in ours.buffers()), "no graph of a batch is kept"


@pytest.mark.parametrize(
    ("initializer", "std"),
    [
        *(("default", 0.1), ("he_normal", 0.1), ("glorot_normal", (2 / 300) ** 0.5)),
        *(("normal", 0.05), ("normal_05", 0.5), ("zeros", 0.0)),
    ],
)
def test_initializers_are_the_frameworks(make: Make, initializer: str, std: float) -> None:
    """The second layer: 200 in, 100 out, so that He's standard deviation is 0.1."""
    network = make(f"initializer={initializer}")
    assert network.get_parameter("3_weight").std().item() == pytest.approx(std, rel=0.03)
    assert not network.get_parameter("3_bias").any()


@pytest.mark.parametrize("option", ["activation=gelu", "initializer=orthogonal", "initializer=lecun_normal"])
def test_what_the_framework_lacks_is_told(make: Make, option: str) -> None:
    group = option.partition("=")[0]
    with pytest.raises(InputError, match=f"^{group}: the framework without autograd has no .*; choose from: "):
        make(option)


def shares_memory(network: ScratchMLP) -> bool:
    kept = {**dict(network.named_parameters()), **dict(network.named_buffers())}
    state = {name.replace(".", "_"): value for name, value in network.layers.state().items()}
    return kept.keys() == state.keys() and all(kept[name] is state[name] for name in kept)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (
            ["+activation.inplace=true"],
            "activation: ReLU of the framework without autograd has no inplace; leave it out",
        ),
        (["initializer=glorot_normal", "+initializer.weight.gain=2"], "initializer: xavier_normal_ of .* has no gain"),
        (
            ["initializer=he_normal", "+initializer.weight.mode=fan_out"],
            "initializer: kaiming_normal_ of .* has no mode",
        ),
        (["initializer=normal", "+initializer.weight.mean=0.1"], "initializer: normal_ of .* has no mean"),
    ],
    ids=str,
)
def test_a_setting_that_the_framework_lacks_is_told(make: Make, options: list[str], told: str) -> None:
    with pytest.raises(InputError, match=told):
        make(*options)


def test_a_normal_initializer_has_torchs_deviation() -> None:
    ours = own("initializer", torch.nn.init.normal_, INITIALIZERS, "")
    assert ours(torch.empty(200, 200)).std().item() == pytest.approx(1, rel=0.02)


@pytest.mark.parametrize(("kind", "lowest"), [(torch.float32, -200), (torch.bfloat16, -200), (torch.float16, -20)])
def test_the_logistic_function_has_gradients_also_where_it_ends(kind: torch.dtype, lowest: float) -> None:
    inputs = torch.tensor([lowest, -1.0, 0.0, 1.0, -lowest], dtype=kind, requires_grad=True)
    outputs = Sigmoid()(inputs)
    outputs.sum().backward()
    torch.testing.assert_close(outputs, inputs.sigmoid(), rtol=0.02, atol=math.e / torch.finfo(kind).max)
    expected = outputs.detach() * (1 - outputs.detach())
    torch.testing.assert_close(inputs.grad, expected, rtol=0.02, atol=1e-4)


def test_the_framework_and_torch_see_one_memory(make: Make) -> None:
    network = make("network.batch_norm=true")
    assert shares_memory(network)
    assert shares_memory(copy.deepcopy(network))
    assert shares_memory(network.double())
    assert network(torch.randn(4, 64, dtype=torch.float64)).dtype == torch.float64
    assert {parameter.grad.dtype for parameter in network.layers.parameters().values()} == {torch.float64}


def test_loaded_weights_act(make: Make) -> None:
    network, other = make(), make("initializer=glorot_normal")
    inputs = torch.randn(4, 64)
    assert not torch.equal(network(inputs), other(inputs))
    network.load_state_dict(other.state_dict())
    assert torch.equal(network(inputs), other(inputs))


def test_an_output_activation_is_applied(make: Make) -> None:
    inputs = torch.randn(4, 64)
    linear, bounded = make(), make("network.output=sigmoid")
    torch.testing.assert_close(bounded(inputs), linear(inputs).sigmoid())


def test_the_mode_reaches_the_framework_however_it_is_set(make: Make) -> None:
    """Lightning's own way back to training sets the attribute of each module."""
    network, inputs = make("network.dropout=0.5"), torch.randn(4, 64)
    assert not torch.equal(network(inputs), network(inputs))
    network.eval()
    assert torch.equal(network(inputs), network(inputs))
    network.training = True
    assert not torch.equal(network(inputs), network(inputs))


@pytest.mark.parametrize("option", ["zero_biases=false", "convolutions_only=true"])
def test_an_option_of_the_initializer_that_it_has_not_is_refused(
    compose: Callable[..., DictConfig], option: str
) -> None:
    with pytest.raises(InputError, match=f"initializer.{option}: the framework without autograd"):
        build(compose("network=scratch_mlp", "initializer=he_normal", f"+initializer.{option}").network)
