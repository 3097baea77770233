"""Every module, and random stacks of them, against torch.nn and autograd in 64 bits: outputs, gradients, running means.

A scratch module and its torch counterpart have the same names for what they keep, so the one's state is loaded into the
other. The relative error of a gradient is ‖ours − autograd's‖ / ‖autograd's‖.
"""

import importlib
import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from atelier.scratch.activations import LeakyReLU, ReLU, Sigmoid, Tanh
from atelier.scratch.batch_norm import BatchNorm
from atelier.scratch.conv2d import Conv2d
from atelier.scratch.dropout import Dropout
from atelier.scratch.flatten import Flatten
from atelier.scratch.linear import Linear
from atelier.scratch.losses import MSE, CrossEntropy
from atelier.scratch.max_pool2d import MaxPool2d
from atelier.scratch.mlp import MLP
from atelier.scratch.module import Module
from atelier.scratch.sequential import Sequential
from atelier.scratch.softmax import Softmax

SCRATCH = Path(__file__).parents[2] / "src" / "atelier" / "scratch"
TOLERANCE = 1e-8


class AnyBatchNorm(nn.modules.batchnorm._BatchNorm):
    """torch's batch norm for rows and for images."""

    def _check_input_dim(self, input: Tensor) -> None:
        pass


class Masked(nn.Module):
    """Dropout with the mask that the scratch layer drew; that it draws well is tested in test_dropout.py."""

    def __init__(self, layer: Dropout) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, inputs: Tensor) -> Tensor:
        return inputs * self.layer.mask


COUNTERPARTS: dict[type[Module], Callable[[Any], nn.Module]] = {
    Linear: lambda layer: nn.Linear(*reversed(layer.weight.value.shape)),
    ReLU: lambda layer: nn.ReLU(),
    LeakyReLU: lambda layer: nn.LeakyReLU(layer.negative_slope),
    Tanh: lambda layer: nn.Tanh(),
    Sigmoid: lambda layer: nn.Sigmoid(),
    Softmax: lambda layer: nn.Softmax(1),
    BatchNorm: lambda layer: AnyBatchNorm(len(layer.bias.value), layer.eps, layer.momentum),
    Dropout: Masked,
    Conv2d: lambda layer: nn.Conv2d(
        layer.weight.value.shape[1], len(layer.bias.value), layer.kernel_size, layer.stride, layer.padding
    ),
    MaxPool2d: lambda layer: nn.MaxPool2d(layer.kernel_size, layer.stride),
    Flatten: lambda layer: nn.Flatten(),
    Sequential: lambda stack: nn.Sequential(*(counterpart(layer) for layer in stack.layers)),
}


def counterpart(module: Module) -> nn.Module:
    return COUNTERPARTS[Sequential if isinstance(module, MLP) else type(module)](module)


def prepare(module: Module, training: bool) -> nn.Module:
    """Random numbers in all that the module keeps, and its counterpart in torch with the same ones."""
    module.to(torch.float64).train(training)
    for name, buffer in module.buffers().items():
        if name.endswith("running_var"):
            buffer.value.uniform_(0.5, 2)
        else:
            buffer.value.normal_()
    network = counterpart(module).double().train(training)
    missing, unexpected = network.load_state_dict(module.state(), strict=False)
    assert not unexpected
    assert all(name.endswith("num_batches_tracked") for name in missing)
    return network


def gradients(module: Module, inputs: Tensor, training: bool) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Ours and autograd's gradients by name, for a random gradient of the outputs; the outputs are compared here."""
    network = prepare(module, training)
    leaf = inputs.clone().requires_grad_()
    before = inputs.clone()
    outputs = module.forward(inputs)
    expected = network(leaf)
    torch.testing.assert_close(outputs, expected, rtol=1e-9, atol=1e-11)

    grad = torch.randn_like(outputs)
    given_grad = grad.clone()
    ours = {"inputs": module.backward(grad)}
    ours |= {name: parameter.grad for name, parameter in module.parameters().items()}
    theirs = dict(network.named_parameters())
    assert ours.keys() - {"inputs"} == theirs.keys()
    found = torch.autograd.grad(expected, [leaf, *theirs.values()], grad)
    assert torch.equal(inputs, before), "changed its inputs"
    assert torch.equal(grad, given_grad), "changed the gradient that it was given"

    kept = network.state_dict()
    for name, tensor in module.state().items():
        torch.testing.assert_close(tensor, kept[name], rtol=1e-12, atol=1e-12)
    return ours, dict(zip(["inputs", *theirs], found, strict=True))


def assert_same(ours: dict[str, Tensor], theirs: dict[str, Tensor], floor: float = 0.0) -> None:
    """Relative errors under 1e-8; norms below `floor` count as it, since a zero has no relative error."""
    for name, expected in theirs.items():
        assert ours[name].shape == expected.shape, name
        difference = (ours[name] - expected).norm().item()
        assert difference <= TOLERANCE * max(expected.norm().item(), floor), name


# ---------------------------------------------------------------------- one module

size = st.integers(1, 6)
samples = st.integers(1, 5)


def rows(draw: st.DrawFn, width: int, least: int = 1) -> Tensor:
    return scaled(draw, draw(st.integers(least, 6)), width)


def images(draw: st.DrawFn, channels: int, least: int = 1) -> Tensor:
    return scaled(draw, draw(samples), channels, draw(st.integers(least, 8)), draw(st.integers(least, 8)))


def scaled(draw: st.DrawFn, *shape: int) -> Tensor:
    torch.manual_seed(draw(st.integers(0, 10_000)))
    return torch.randn(shape, dtype=torch.float64) * draw(st.sampled_from([0.1, 1.0, 2.0]))


def linear(draw: st.DrawFn) -> tuple[Module, Tensor]:
    width = draw(size)
    return Linear(width, draw(size)), rows(draw, width)


def convolution(draw: st.DrawFn) -> tuple[Module, Tensor]:
    channels, kernel, padding = draw(st.integers(1, 3)), draw(st.integers(1, 4)), draw(st.integers(0, 3))
    inputs = images(draw, channels, least=max(1, kernel - 2 * padding))
    return Conv2d(channels, draw(st.integers(1, 3)), kernel, draw(st.integers(1, 3)), padding), inputs


def pooling(draw: st.DrawFn) -> tuple[Module, Tensor]:
    kernel = draw(st.integers(1, 4))
    stride = draw(st.none() | st.integers(1, 5))
    return MaxPool2d(kernel, stride), images(draw, draw(st.integers(1, 3)), least=kernel)


def norm(draw: st.DrawFn) -> tuple[Module, Tensor]:
    width = draw(size)
    inputs = rows(draw, width, least=4) if draw(st.booleans()) else images(draw, width, least=3)
    return BatchNorm(width, draw(st.floats(0, 1)), draw(st.sampled_from([1e-5, 0.1]))), inputs


def elementwise(make: Callable[[st.DrawFn], Module]) -> Callable[[st.DrawFn], tuple[Module, Tensor]]:
    return lambda draw: (make(draw), rows(draw, draw(size)) if draw(st.booleans()) else images(draw, draw(size)))


CASES: dict[type[Module], Callable[[st.DrawFn], tuple[Module, Tensor]]] = {
    Linear: linear,
    ReLU: elementwise(lambda draw: ReLU()),
    LeakyReLU: elementwise(lambda draw: LeakyReLU(draw(st.floats(0, 1)))),
    Tanh: elementwise(lambda draw: Tanh()),
    Sigmoid: elementwise(lambda draw: Sigmoid()),
    Softmax: elementwise(lambda draw: Softmax()),
    BatchNorm: norm,
    Dropout: elementwise(lambda draw: Dropout(draw(st.floats(0, 0.9)))),
    Conv2d: convolution,
    MaxPool2d: pooling,
    Flatten: elementwise(lambda draw: Flatten()),
}


@pytest.mark.parametrize("kind", CASES, ids=lambda kind: kind.__name__)
@pytest.mark.parametrize("training", [True, False], ids=["training", "evaluation"])
def test_a_modules_gradients_are_autograds(kind: type[Module], training: bool) -> None:
    @given(st.data())
    def check(data: st.DataObject) -> None:
        module, inputs = CASES[kind](data.draw)
        assert_same(*gradients(module, inputs, training))

    check()


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (Conv2d(2, 3, 3, stride=2, padding=1), nn.Conv2d(2, 3, 3, stride=2, padding=1)),
        (MaxPool2d(3), nn.MaxPool2d(3)),
        (MaxPool2d(3, stride=1), nn.MaxPool2d(3, stride=1)),
        (LeakyReLU(0.3), nn.LeakyReLU(0.3)),
        (LeakyReLU(), nn.LeakyReLU()),
        (BatchNorm(2, momentum=0.3, eps=0.1), nn.BatchNorm2d(2, momentum=0.3, eps=0.1)),
        (BatchNorm(2), nn.BatchNorm2d(2)),
    ],
    ids=lambda module: type(module).__name__,
)
def test_arguments_and_defaults_are_torchs(ours: Module, theirs: nn.Module) -> None:
    theirs.load_state_dict(ours.state(), strict=False)
    inputs = torch.randn(4, 2, 7, 7)
    torch.testing.assert_close(ours(inputs), theirs(inputs))
    for name, tensor in ours.state().items():
        torch.testing.assert_close(tensor, theirs.state_dict()[name])


def test_every_module_is_tested() -> None:
    found = set()
    for file in SCRATCH.glob("*.py"):
        for item in vars(importlib.import_module(f"atelier.scratch.{file.stem}")).values():
            if inspect.isclass(item) and issubclass(item, Module):
                found.add(item)
    assert found == CASES.keys() | {Module, Sequential, MLP}


# ---------------------------------------------------------------------- where there is no derivative


@pytest.mark.parametrize("module", [ReLU(), LeakyReLU(0.3)], ids=["relu", "leaky_relu"])
def test_the_derivative_at_a_kink_is_torchs(module: Module) -> None:
    inputs = torch.zeros(2, 3, dtype=torch.float64)
    assert_same(*gradients(module, inputs, True))


def test_of_equal_numbers_the_first_of_a_window_gets_the_gradient() -> None:
    ours, theirs = gradients(MaxPool2d(2, 1), torch.ones(2, 1, 3, 3, dtype=torch.float64), True)
    assert torch.equal(ours["inputs"], theirs["inputs"])


@pytest.mark.parametrize("value", [-1e4, 1e4])
@pytest.mark.parametrize("module", [Sigmoid(), Tanh(), Softmax()], ids=["sigmoid", "tanh", "softmax"])
def test_a_saturated_activation_stays_finite(module: Module, value: float) -> None:
    outputs = module.forward(torch.tensor([[value, 0.0]]))
    assert outputs.isfinite().all()
    assert module.backward(torch.ones_like(outputs)).isfinite().all()


# ---------------------------------------------------------------------- stacks


def row_layers(draw: st.DrawFn, width: int, depth: int) -> list[Module]:
    layers: list[Module] = []
    for _ in range(depth):
        kind = draw(st.sampled_from([Linear, ReLU, LeakyReLU, Tanh, Sigmoid, Softmax, BatchNorm, Dropout]))
        if kind is Linear:
            after = draw(size)
            layers.append(Linear(width, after))
            width = after
        else:
            layers.append(BatchNorm(width) if kind is BatchNorm else kind())
    return layers


def image_layers(draw: st.DrawFn, channels: int, side: int, depth: int) -> tuple[list[Module], int]:
    """Layers for square images (N, channels, side, side), and how many numbers an image has after them."""
    layers: list[Module] = []
    for _ in range(depth):
        kind = draw(st.sampled_from([Conv2d, MaxPool2d, ReLU, LeakyReLU, Tanh, Sigmoid, BatchNorm, Dropout]))
        kernel = draw(st.integers(1, min(3, side)))
        if kind is Conv2d:
            after, stride, padding = draw(st.integers(1, 3)), draw(st.integers(1, 2)), draw(st.integers(0, kernel - 1))
            layers.append(Conv2d(channels, after, kernel, stride, padding))
            channels, side = after, (side + 2 * padding - kernel) // stride + 1
        elif kind is MaxPool2d:
            layers.append(MaxPool2d(kernel))
            side //= kernel
        else:
            layers.append(BatchNorm(channels) if kind is BatchNorm else kind())
    return layers, channels * side * side


@st.composite
def stacks(draw: st.DrawFn) -> tuple[Module, Tensor]:
    """A network of up to ten layers, some of them in a Sequential of their own, and inputs for it."""
    depth = st.integers(0, 5)
    if draw(st.booleans()):
        width = draw(size)
        front, inputs = row_layers(draw, width, draw(depth)), scaled(draw, 6, width)
    else:
        channels, side = draw(st.integers(1, 3)), draw(st.integers(3, 7))
        maps, width = image_layers(draw, channels, side, draw(depth))
        front = [*maps, Flatten()]
        inputs = scaled(draw, 6, channels, side, side)
        return Sequential(Sequential(*front), *row_layers(draw, width, draw(depth))), inputs
    return Sequential(*front), inputs


@given(stacks(), st.booleans())
def test_a_random_stacks_gradients_are_autograds(stack: tuple[Module, Tensor], training: bool) -> None:
    ours, theirs = gradients(*stack, training)
    # A bias under batch norm has the gradient zero; what the two round it to is measured beside the largest gradient.
    assert_same(ours, theirs, floor=1e-4 * max(gradient.norm().item() for gradient in theirs.values()))


@pytest.mark.parametrize("name", ["mse", "cross_entropy"])
@pytest.mark.parametrize("batch_norm", [True, False])
def test_gradients_from_a_loss_to_the_first_layer(name: str, batch_norm: bool) -> None:
    torch.manual_seed(0)
    network = MLP([2, 3], 4, [5, 5], dropout=0.2, batch_norm=batch_norm, activation=Tanh, output=Sigmoid)
    reference = prepare(network, True)
    inputs, target = torch.randn(7, 2, 3).double(), torch.rand(7, 4).double()
    target /= target.sum(1, keepdim=True)
    loss = MSE() if name == "mse" else CrossEntropy()
    value = loss.forward(network.forward(inputs), target)
    network.backward(loss.backward())
    expected = getattr(nn.functional, f"{name}{'_loss' if name == 'mse' else ''}")(reference(inputs), target)
    expected.backward()
    torch.testing.assert_close(value, expected.detach(), rtol=1e-12, atol=0)
    theirs = {key: parameter.grad for key, parameter in reference.named_parameters() if parameter.grad is not None}
    ours = {key: parameter.grad for key, parameter in network.parameters().items()}
    assert ours.keys() == theirs.keys()
    assert_same(ours, theirs, floor=1e-6)
