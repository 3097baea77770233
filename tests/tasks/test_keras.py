"""Keras's optimizers, parameter by parameter, against what tf.keras writes down, in Python's own 64 bits.

Keras (`Adam.update_step`, `Adagrad.update_step`), with t the number of the update from 1:
Adam: w ← w − lr · √(1 − β₂ᵗ)/(1 − β₁ᵗ) · m / (√v + ε), ε = 1e-7; Adagrad: w ← w − lr · g / √a, a from 0.1 on.
"""

import math
from collections.abc import Callable

import pytest
import torch
from omegaconf import DictConfig
from torch import nn
from torch.optim import Optimizer

from atelier.compose.targets import build
from atelier.tasks.keras_adam import KerasAdam
from atelier.tasks.schedule import Schedule
from atelier.tasks.task import Task

Compose = Callable[..., DictConfig]
# Gradients of one parameter each, over four updates: large ones, some as small as ε, one that is 0 for a while.
GRADIENTS = [[0.5, -0.25, 1.0, 0.125], [1e-7, -3e-7, 2e-7, 1e-6], [0.0, 0.0, 1e-5, 0.0], [-1e-4, 1e-3, -1e-2, 1e-1]]
START = [1.0, -2.0, 0.5, 0.0]


def keras_adam(start: float, gradients: list[float], lr: float) -> float:
    m = v = 0.0
    for t, g in enumerate(gradients, start=1):
        m += (g - m) * (1 - 0.9)
        v += (g * g - v) * (1 - 0.999)
        start -= lr * math.sqrt(1 - 0.999**t) / (1 - 0.9**t) * m / (math.sqrt(v) + 1e-7)
    return start


def keras_adagrad(start: float, gradients: list[float], lr: float) -> float:
    accumulator = 0.1
    for g in gradients:
        accumulator += g * g
        start -= lr * g / math.sqrt(accumulator + 1e-7)
    return start


def stepped(optimizer: Optimizer, parameters: nn.ParameterList, updates: range) -> None:
    for update in updates:
        for parameter, gradients in zip(parameters, GRADIENTS, strict=True):
            parameter.grad = torch.tensor([gradients[update]], dtype=torch.float64)
        optimizer.step()


def made(compose: Compose, name: str, lr: float, **options: object) -> tuple[Optimizer, nn.ParameterList]:
    """The optimizer as a task makes it of the option, and the parameters: scalars of 64 bits."""
    parameters = nn.ParameterList([torch.tensor([value], dtype=torch.float64) for value in START])
    factory = build(compose(f"optimizer={name}", f"optimizer.lr={lr}").optimizer)
    return Task(parameters, factory, Schedule(None), "val/loss", "min").optimizer_of(parameters, **options), parameters


@pytest.mark.parametrize("fused", [True, False])
@pytest.mark.parametrize(("name", "formula"), [("adam_keras", keras_adam), ("adagrad_keras", keras_adagrad)])
@pytest.mark.parametrize("lr", [0.001, 0.01])
def test_each_parameter_goes_where_keras_sends_it(
    compose: Compose, name: str, formula: Callable[[float, list[float], float], float], lr: float, fused: bool
) -> None:
    optimizer, parameters = made(compose, name, lr, fused=fused)
    stepped(optimizer, parameters, range(4))
    moved = [parameter.item() - start for parameter, start in zip(parameters, START, strict=True)]
    expected = [formula(start, own, lr) - start for start, own in zip(START, GRADIENTS, strict=True)]
    assert moved == pytest.approx(expected, rel=1e-6, abs=1e-15)


@pytest.mark.parametrize(("name", "formula"), [("adam", keras_adam), ("adagrad", keras_adagrad)])
def test_pytorchs_own_go_elsewhere(
    compose: Compose, name: str, formula: Callable[[float, list[float], float], float]
) -> None:
    optimizer, parameters = made(compose, name, 0.001)
    stepped(optimizer, parameters, range(4))
    moved = [parameter.item() - start for parameter, start in zip(parameters, START, strict=True)]
    expected = [formula(start, own, 0.001) - start for start, own in zip(START, GRADIENTS, strict=True)]
    assert moved[1] != pytest.approx(expected[1], rel=0.1)


def test_an_epsilon_before_and_after_the_bias_are_two_things(compose: Compose) -> None:
    optimizer, parameters = made(compose, "adam_keras", 0.001)
    torchs = nn.ParameterList([torch.tensor([value], dtype=torch.float64) for value in START])
    stepped(optimizer, parameters, range(1))
    stepped(torch.optim.Adam(torchs.parameters(), lr=0.001, eps=1e-7), torchs, range(1))
    # |g| = 1e-7: Keras's ε stands beside √v = √0.001 · 1e-7, PyTorch's beside 1e-7.
    assert START[1] - parameters[1].item() == pytest.approx(0.001 / (1 + 1 / math.sqrt(0.001)), rel=1e-6)
    assert START[1] - torchs[1].item() == pytest.approx(0.001 / 2, rel=1e-6)


def test_its_hooks_are_called_once_for_each_update(compose: Compose) -> None:
    """Torch wraps the step of each class that is used: Adam's own, once there is one, would call them again."""
    torch.optim.Adam([nn.Parameter(torch.zeros(1))])
    optimizer, parameters = made(compose, "adam_keras", 0.01)
    calls: list[str] = []
    optimizer.register_step_pre_hook(lambda *_: calls.append("before"))
    optimizer.register_step_post_hook(lambda *_: calls.append("after"))
    stepped(optimizer, parameters, range(2))
    assert calls == ["before", "after"] * 2


def test_it_goes_on_from_a_saved_state_as_if_it_had_never_stopped(compose: Compose) -> None:
    whole, at_once = made(compose, "adam_keras", 0.01)
    stepped(whole, at_once, range(4))
    first, parameters = made(compose, "adam_keras", 0.01)
    stepped(first, parameters, range(2))
    second = KerasAdam(parameters.parameters(), lr=0.5, eps=1e-3)
    second.load_state_dict(first.state_dict())
    stepped(second, parameters, range(2, 4))
    assert [parameter.item() for parameter in parameters] == [parameter.item() for parameter in at_once]
    assert second.param_groups[0]["eps"] == 1e-7
