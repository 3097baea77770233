"""How a task makes the optimizer of its network."""

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import torch
from omegaconf import DictConfig
from torch import nn
from torch.optim import SGD, Adagrad, Adam, AdamW, Optimizer

from atelier.compose.targets import build
from atelier.errors import InputError
from atelier.tasks.schedule import Schedule
from atelier.tasks.task import Task

FUSED = [Adam, AdamW, Adagrad]


def optimizer_of(network: nn.Module, kind: type[Optimizer], **options: Any) -> Optimizer:
    task = Task(network, partial(kind, lr=0.1), Schedule(None), "val/loss", "min")
    return task.optimizer_of(network, **options)


@pytest.mark.parametrize("kind", FUSED)
def test_adams_family_steps_fused_on_a_processor_and_gets_where_it_gets_without(kind: type[Optimizer]) -> None:
    inputs = torch.randn(16, 3, generator=torch.Generator().manual_seed(0))
    ends = []
    for fused in (True, False):
        torch.manual_seed(0)
        network = nn.Sequential(nn.Linear(3, 5), nn.Tanh(), nn.Linear(5, 1))
        optimizer = optimizer_of(network, kind) if fused else optimizer_of(network, kind, fused=False)
        assert [group["fused"] for group in optimizer.param_groups] == [fused]
        for _ in range(20):
            optimizer.zero_grad()
            network(inputs).square().mean().backward()
            optimizer.step()
        ends.append(nn.utils.parameters_to_vector(network.parameters()))
    torch.testing.assert_close(ends[0], ends[1])


def test_every_option_steps_a_network(compose: Callable[..., DictConfig], optimizer_option: str) -> None:
    """Each has the two keys that an experiment may set."""
    config = compose(f"optimizer={optimizer_option}", "optimizer.lr=0.1", "optimizer.weight_decay=0.1").optimizer
    network = nn.Linear(2, 1)
    before = network.weight.clone()
    task = Task(network, build(config), Schedule(None), "val/loss", "min")
    optimizer = task.optimizer_of(network)
    network(torch.ones(3, 2)).sum().backward()
    optimizer.step()
    assert network.weight.isfinite().all()
    assert not torch.equal(network.weight, before)


def test_options_go_to_the_optimizer() -> None:
    optimizer = optimizer_of(nn.Linear(2, 1), Adam, lr=0.5)
    assert optimizer.param_groups[0]["lr"] == 0.5


def test_an_optimizer_that_gains_nothing_is_left_as_it_is() -> None:
    assert not optimizer_of(nn.Linear(2, 1), SGD).param_groups[0]["fused"]


def test_a_network_on_another_device_is_left_to_pytorch() -> None:
    assert not optimizer_of(nn.Linear(2, 1, device="meta"), Adam).param_groups[0]["fused"]


@pytest.mark.parametrize("kept", [list, lambda layers: dict(enumerate(layers))], ids=["list", "dict"])
def test_a_network_whose_layers_torch_does_not_find_is_told(kept: Callable[[Any], Any]) -> None:
    network = nn.Module()
    network.layers = kept([nn.Linear(2, 1)])
    with pytest.raises(InputError, match=r"^network: Module has no parameters to train; .*nn\.ModuleList"):
        optimizer_of(network, SGD)
    network = nn.Linear(2, 1).requires_grad_(False)
    with pytest.raises(InputError, match=r"^start\.freeze leaves nothing of the Linear to train"):
        optimizer_of(network, SGD)
