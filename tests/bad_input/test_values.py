"""A value that a constructor refuses, or should: told with the place of what is built, without a traceback."""

from collections.abc import Callable
from typing import Any

import pytest

Run = Callable[..., Any]


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["network.dropout=2"], "network: dropout probability has to be between 0 and 1, but got 2"),
        (["network.hidden=[-5]"], "network: hidden=[-5]: give 1 or more"),
        (["network.hidden=[64,0]"], "network: hidden=[64, 0]: give 1 or more"),
        (["network=resnet", "network.width=0"], "network: width=0: give 1 or more"),
        (["network=resnet", "network.depth=0"], "network: depth=0: give 1 or more"),
        (["network=lstm", "network.layers=0"], "network: layers=0: give 1 or more"),
        (["network=conv_blocks", "network.blocks=[[8,0]]"], "network: channels=[8, 0]: give 1 or more"),
        (["optimizer.lr=-1"], "optimizer: Invalid learning rate: -1"),
        (["optimizer.betas=[2,3]"], "optimizer: Invalid beta parameter at index 0: 2"),
        (["penalty=l1", "penalty.strength=-1"], "penalty.strength=-1: give 0 or more"),
        (["callbacks=filters", "callbacks.filters.count=0"], "callbacks.filters.count=0: give 1 or more"),
    ],
)
def test_a_value_that_cannot_be_is_told(told: Callable[..., str], overrides: list[str], message: str) -> None:
    assert told("train", "trainer=cpu", "callbacks=none", *overrides).splitlines()[-1] == message


def test_a_key_that_the_experiment_set_is_called_so(told: Callable[..., str]) -> None:
    message = told("train", "trainer=cpu", "experiment=fashion_mlp", "network=resnet")
    assert message.startswith("network.hidden (set by experiment=fashion_mlp): ResNet has no 'hidden'; ")
    assert message.endswith("; remove it with ~network.hidden\n")


def test_a_key_that_was_typed_is_not_said_to_be_the_experiments(told: Callable[..., str]) -> None:
    message = told("train", "trainer=cpu", "experiment=fashion_mlp", "+network.width=3")
    assert message.startswith("network.width: MLP has no 'width'; choose from: ")


def test_a_sweep_tells_a_wrong_network_before_its_first_job(run_verb: Run) -> None:
    outcome = run_verb("train", "-m", "trainer=cpu", "network.dropout=0,2")
    assert outcome.code == 2
    assert "1 of 2 jobs cannot run, so none was started:\n  job 1: network: dropout probability" in outcome.err
    assert not list(outcome.logs.rglob("run.json"))
