"""A value that cannot be is told without a traceback: by the check, or where a constructor refuses several at once."""

from collections.abc import Callable
from typing import Any

import pytest

Run = Callable[..., Any]


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (
            ["network.hidden=[64,0]"],
            "network.hidden=[64, 0]: MLP takes a list, each item a whole number of 1 or more",
        ),
        (["optimizer.lr=-1"], "optimizer.lr=-1: Adam takes a number of 0 or more"),
        (["save_every=-1"], "save_every=-1: give a number of 0 or more"),
        (
            ["optimizer=sgd", "+optimizer.nesterov=true"],
            "optimizer: Nesterov momentum requires a momentum and zero dampening",
        ),
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
    assert "1 of 2 jobs cannot run, so none was started:\n  job 1: network.dropout=2: MLP takes" in outcome.err
    assert not list(outcome.logs.rglob("run.json"))
