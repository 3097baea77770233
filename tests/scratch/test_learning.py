"""Networks without autograd learn, while gradients are disabled: a disk of points, and stripes in pictures."""

import math
from collections.abc import Iterator

import pytest
import torch
from torch import Tensor

from atelier.scratch.activations import LeakyReLU, ReLU, Sigmoid, Tanh
from atelier.scratch.batch_norm import BatchNorm
from atelier.scratch.conv2d import Conv2d
from atelier.scratch.flatten import Flatten
from atelier.scratch.initializers import xavier, zero
from atelier.scratch.linear import Linear
from atelier.scratch.losses import MSE, CrossEntropy, Loss, one_hot
from atelier.scratch.max_pool2d import MaxPool2d
from atelier.scratch.mlp import MLP
from atelier.scratch.module import Module
from atelier.scratch.optimizers import Adam
from atelier.scratch.sequential import Sequential


@pytest.fixture(autouse=True)
def without_gradients() -> Iterator[None]:
    torch.manual_seed(0)
    with torch.set_grad_enabled(False):
        yield


def disk(count: int) -> tuple[Tensor, Tensor]:
    """Points (N, 2) in [-1, 1]², and whether each is inside the disk that fills half of the square (N,)."""
    points = 2 * torch.rand(count, 2) - 1
    return points, (points.square().sum(1) < 2 / math.pi).long()


def fit(network: Module, loss: Loss, inputs: Tensor, classes: Tensor, steps: int, lr: float = 0.01) -> float:
    """Train on one batch again and again; the share of it that is told right in the end."""
    optimizer = Adam(network.parameters(), lr)
    target = one_hot(classes, int(classes.max()) + 1)
    for _ in range(steps):
        loss.forward(network.forward(inputs), target)
        network.backward(loss.backward())
        optimizer.step()
    return right(network, inputs, classes)


def right(network: Module, inputs: Tensor, classes: Tensor) -> float:
    return (network.eval()(inputs).argmax(1) == classes).float().mean().item()


@pytest.mark.parametrize("activation", [ReLU, LeakyReLU, Tanh], ids=lambda kind: kind.__name__)
@pytest.mark.parametrize("loss", [MSE(), CrossEntropy()], ids=["mse", "cross_entropy"])
def test_an_mlp_learns_a_disk_and_knows_new_points(activation: type[Module], loss: Loss) -> None:
    network = MLP([2], 2, [25, 25, 25], activation=activation, initializer=xavier)
    assert fit(network, loss, *disk(500), steps=200) > 0.95
    assert right(network, *disk(500)) > 0.93


def test_a_sigmoid_at_the_output_learns_it_too() -> None:
    assert fit(MLP([2], 2, [25, 25, 25], output=Sigmoid), CrossEntropy(), *disk(500), steps=200) > 0.95


def test_weights_of_zero_learn_no_disk() -> None:
    network = MLP([2], 2, [25, 25], activation=Tanh, initializer=zero)
    assert fit(network, CrossEntropy(), *disk(500), steps=100) < 0.6


def test_a_convolutional_network_tells_the_direction_of_stripes() -> None:
    classes = torch.arange(60) % 2
    stripes = torch.randn(60, 1, 8, 1).expand(60, 1, 8, 8)
    pictures = torch.where(classes.view(-1, 1, 1, 1) == 1, stripes, stripes.transpose(2, 3))
    network = Sequential(
        *(Conv2d(1, 4, 3, padding=1), BatchNorm(4), ReLU(), MaxPool2d(2)),
        *(Conv2d(4, 8, 3), ReLU(), Flatten(), Linear(32, 2)),
    )
    assert fit(network, CrossEntropy(), pictures[:40], classes[:40], steps=60) == 1.0
    assert right(network, pictures[40:], classes[40:]) > 0.9
