"""Scratch modules beside their counterparts in torch.nn, in 64 bits: outputs, gradients, running means.

A scratch module and its torch counterpart have the same names for what they keep, so the one's state is loaded into the
other. The relative error of a gradient is ‖ours − autograd's‖ / ‖autograd's‖.
"""

from collections.abc import Callable
from typing import Any

import pytest
import torch
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


@pytest.fixture(scope="session", name="prepare")
def prepare_fixture() -> Callable[[Module, bool], nn.Module]:
    return prepare


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


@pytest.fixture(scope="session", name="gradients")
def gradients_fixture() -> Callable[..., tuple[dict[str, Tensor], dict[str, Tensor]]]:
    return gradients


def assert_same(ours: dict[str, Tensor], theirs: dict[str, Tensor], floor: float = 0.0) -> None:
    """Relative errors under 1e-8; norms below `floor` count as it, since a zero has no relative error."""
    for name, expected in theirs.items():
        assert ours[name].shape == expected.shape, name
        difference = (ours[name] - expected).norm().item()
        assert difference <= TOLERANCE * max(expected.norm().item(), floor), name


@pytest.fixture(scope="session", name="assert_same")
def assert_same_fixture() -> Callable[..., None]:
    return assert_same
