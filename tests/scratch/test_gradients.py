"""Every module's gradients are autograd's, also where there is no derivative."""

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
from atelier.scratch.max_pool2d import MaxPool2d
from atelier.scratch.mlp import MLP
from atelier.scratch.module import Module
from atelier.scratch.sequential import Sequential
from atelier.scratch.softmax import Softmax

SCRATCH = Path(__file__).parents[2] / "src" / "atelier" / "scratch"
size = st.integers(1, 6)


def rows(draw: st.DrawFn, width: int, least: int = 1) -> Tensor:
    return scaled(draw, draw(st.integers(least, 6)), width)


def images(draw: st.DrawFn, channels: int, least: int = 1) -> Tensor:
    return scaled(draw, draw(st.integers(1, 5)), channels, draw(st.integers(least, 8)), draw(st.integers(least, 8)))


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
def test_a_modules_gradients_are_autograds(
    kind: type[Module], training: bool, gradients: Any, assert_same: Any
) -> None:
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


@pytest.mark.parametrize("module", [ReLU(), LeakyReLU(0.3)], ids=["relu", "leaky_relu"])
def test_the_derivative_at_a_kink_is_torchs(module: Module, gradients: Any, assert_same: Any) -> None:
    inputs = torch.zeros(2, 3, dtype=torch.float64)
    assert_same(*gradients(module, inputs, True))


def test_of_equal_numbers_the_first_of_a_window_gets_the_gradient(gradients: Any) -> None:
    ours, theirs = gradients(MaxPool2d(2, 1), torch.ones(2, 1, 3, 3, dtype=torch.float64), True)
    assert torch.equal(ours["inputs"], theirs["inputs"])


@pytest.mark.parametrize("value", [-1e4, 1e4])
@pytest.mark.parametrize("module", [Sigmoid(), Tanh(), Softmax()], ids=["sigmoid", "tanh", "softmax"])
def test_a_saturated_activation_stays_finite(module: Module, value: float) -> None:
    outputs = module.forward(torch.tensor([[value, 0.0]]))
    assert outputs.isfinite().all()
    assert module.backward(torch.ones_like(outputs)).isfinite().all()
