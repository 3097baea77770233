"""Optimizers against torch.optim over 100 steps in 64 bits, and going on from a saved state."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from atelier.errors import InputError
from atelier.scratch.activations import Tanh
from atelier.scratch.losses import CrossEntropy, one_hot
from atelier.scratch.mlp import MLP
from atelier.scratch.module import Parameter
from atelier.scratch.optimizers import SGD, Adagrad, Adam, Momentum, Optimizer, RMSprop

STEPS = 100
# Ours, torch's, and what both are given besides lr and weight_decay.
KINDS: dict[
    str, tuple[Callable[..., Optimizer], Callable[..., torch.optim.Optimizer], dict[str, st.SearchStrategy]]
] = {
    "sgd": (SGD, torch.optim.SGD, {}),
    "momentum": (Momentum, torch.optim.SGD, {"momentum": st.floats(0.1, 0.99)}),
    "adagrad": (Adagrad, torch.optim.Adagrad, {"eps": st.sampled_from([1e-10, 1e-3])}),
    "rmsprop": (RMSprop, torch.optim.RMSprop, {"alpha": st.floats(0, 0.999), "eps": st.sampled_from([1e-8, 1e-3])}),
    "adam": (
        Adam,
        torch.optim.Adam,
        {"betas": st.tuples(st.floats(0, 0.99), st.floats(0, 0.9999)), "eps": st.sampled_from([1e-8, 1e-3])},
    ),
}


@pytest.mark.parametrize("kind", KINDS)
def test_any_hyper_parameters_mean_what_they_mean_in_torch(kind: str) -> None:
    """Gradients are random numbers here, the same for both."""
    ours, theirs, options = KINDS[kind]

    @settings(max_examples=10)
    @given(
        st.floats(1e-4, 0.1), st.sampled_from([0.0, 1e-3, 0.1]), st.fixed_dictionaries(options), st.integers(0, 10_000)
    )
    def check(lr: float, weight_decay: float, given_options: dict[str, Any], seed: int) -> None:
        torch.manual_seed(seed)
        start = {"weight": torch.randn(3, 4).double(), "bias": torch.randn(3).double()}
        parameters = {name: Parameter(tensor.clone()) for name, tensor in start.items()}
        references = {name: nn.Parameter(tensor.clone()) for name, tensor in start.items()}
        optimizer = ours(parameters, lr, weight_decay, **given_options)
        reference = theirs(references.values(), lr=lr, weight_decay=weight_decay, **given_options)
        path, their_path = [], []
        for _ in range(STEPS):
            for name, parameter in parameters.items():
                parameter.grad = torch.randn_like(parameter.value)
                references[name].grad = parameter.grad.clone()
            optimizer.step()
            reference.step()
            path += [parameter.value.flatten().clone() for parameter in parameters.values()]
            their_path += [parameter.detach().flatten().clone() for parameter in references.values()]
        torch.testing.assert_close(torch.cat(path), torch.cat(their_path), rtol=1e-9, atol=1e-12)

    check()


@pytest.mark.parametrize("weight_decay", [0.0, 0.01])
@pytest.mark.parametrize("kind", KINDS)
def test_a_network_takes_the_same_100_steps_as_in_torch(kind: str, weight_decay: float) -> None:
    """Each with its own gradients, torch's optimizer with its own defaults."""
    ours, theirs, options = KINDS[kind]
    extra = {"momentum": 0.9} if "momentum" in options else {}
    torch.manual_seed(0)
    network = MLP([2], 3, [8, 8], activation=Tanh)
    reference = nn.Sequential(nn.Flatten(), nn.Linear(2, 8), nn.Tanh(), nn.Linear(8, 8), nn.Tanh(), nn.Linear(8, 3))
    reference.load_state_dict(network.state())
    network.to(torch.float64)
    reference.double()
    inputs, classes = torch.randn(STEPS, 10, 2).double(), torch.randint(3, (STEPS, 10))
    loss, first = CrossEntropy(), network.state()["1.weight"].clone()
    optimizer = ours(network.parameters(), 0.01, weight_decay, **extra)
    their_optimizer = theirs(reference.parameters(), lr=0.01, weight_decay=weight_decay, **extra)
    for batch, target in zip(inputs, classes, strict=True):
        loss.forward(network.forward(batch), one_hot(target, 3))
        network.backward(loss.backward())
        optimizer.step()
        their_optimizer.zero_grad()
        nn.functional.cross_entropy(reference(batch), target).backward()
        their_optimizer.step()
        kept = reference.state_dict()
        for name, tensor in network.state().items():
            torch.testing.assert_close(tensor, kept[name], rtol=1e-8, atol=1e-10)
    assert (network.state()["1.weight"] - first).norm() > 0.01


@pytest.mark.parametrize("kind", KINDS)
def test_a_saved_optimizer_goes_on_as_if_it_had_not_stopped(kind: str) -> None:
    make = KINDS[kind][0]
    torch.manual_seed(0)
    grads = torch.randn(6, 4)

    def run(optimizer: Optimizer, part: torch.Tensor) -> None:
        for grad in part:
            optimizer.parameters["w"].grad = grad
            optimizer.step()

    whole = make({"w": Parameter(torch.ones(4))}, 0.1, 0.01)
    run(whole, grads)
    first = make({"w": Parameter(torch.ones(4))}, 0.1, 0.01)
    run(first, grads[:3])
    second = make({"w": Parameter(first.parameters["w"].value.clone())}, 0.1, 0.01)
    second.load_state({name: tensor.clone() for name, tensor in first.state().items()})
    run(second, grads[3:])
    assert torch.equal(second.parameters["w"].value, whole.parameters["w"].value)
    assert second.state().keys() == whole.state().keys()
    assert all(torch.equal(tensor, second.state()[name]) for name, tensor in whole.state().items())
    assert whole.state()["steps"] == 6


def test_another_optimizers_state_is_refused() -> None:
    parameters = {"w": Parameter(torch.ones(4))}
    with pytest.raises(InputError, match=r"w\.mean is nothing in it, \(4,\) here"):
        Adam(parameters, 0.1).load_state(Momentum(parameters, 0.1).state())


def test_a_changed_learning_rate_counts_from_the_next_step() -> None:
    parameter = Parameter(torch.tensor([1.0]))
    optimizer = SGD({"w": parameter}, 0.5)
    parameter.grad = torch.tensor([1.0])
    optimizer.step()
    optimizer.lr = 0.25
    optimizer.step()
    assert parameter.value.item() == 0.25


def test_weight_decay_pulls_to_zero() -> None:
    parameter = Parameter(torch.tensor([2.0]))
    SGD({"w": parameter}, lr=0.5, weight_decay=0.1).step()
    assert parameter.value.item() == pytest.approx(2.0 - 0.5 * 0.1 * 2.0)
    assert parameter.grad.item() == 0  # what backward wrote is not touched
