"""The gradients of random stacks of modules, and those from a loss to the first layer, are autograd's."""

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

size = st.integers(1, 6)


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


def scaled(draw: st.DrawFn, *shape: int) -> Tensor:
    torch.manual_seed(draw(st.integers(0, 10_000)))
    return torch.randn(shape, dtype=torch.float64) * draw(st.sampled_from([0.1, 1.0, 2.0]))


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
def test_a_random_stacks_gradients_are_autograds(
    gradients: Any, assert_same: Any, stack: tuple[Module, Tensor], training: bool
) -> None:
    ours, theirs = gradients(*stack, training)
    # A bias under batch norm has the gradient zero; what the two round it to is measured beside the largest gradient.
    assert_same(ours, theirs, floor=1e-4 * max(gradient.norm().item() for gradient in theirs.values()))


@pytest.mark.parametrize("name", ["mse", "cross_entropy"])
@pytest.mark.parametrize("batch_norm", [True, False])
def test_gradients_from_a_loss_to_the_first_layer(name: str, batch_norm: bool, prepare: Any, assert_same: Any) -> None:
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
