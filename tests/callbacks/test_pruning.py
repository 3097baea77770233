"""When a trial is asked about, in which unit, and that one at its end is not stopped."""

from types import SimpleNamespace
from typing import Any

import pytest
import torch

from atelier.callbacks.pruning import Pruning


def trainer(**values: Any) -> Any:
    known = {
        **{"is_global_zero": True, "should_stop": False, "callback_metrics": {"val/loss": torch.tensor(0.5)}},
        **{"state": SimpleNamespace(fn="fit"), "strategy": SimpleNamespace(broadcast=lambda value: value)},
        **{
            "min_epochs": 0,
            "min_steps": None,
            "max_epochs": 4,
            "max_steps": -1,
            "current_epoch": 2,
            "global_step": 30,
            "is_last_batch": True,
        },
        **{"check_val_every_n_epoch": 1, "val_check_batch": 10, "num_training_batches": 10},
    }
    return SimpleNamespace(**known | values)


def asked(
    one: Any, metric: str = "val/loss", hopeless: bool = True, by_steps: bool = False
) -> tuple[list[tuple[int, float]], bool]:
    """What is reported of a validation and the epoch's end behind it, and whether the trial is pruned."""
    reported: list[tuple[int, float]] = []
    pruned: list[bool] = []
    callback = Pruning(lambda *given: bool(reported.append(given)) or hopeless, lambda: pruned.append(True))
    task = SimpleNamespace(metric=metric, counts_steps=by_steps)
    callback.on_validation_end(one, task)
    callback.on_train_epoch_end(one, task)
    assert one.should_stop is bool(pruned)
    return reported, bool(pruned)


def test_a_hopeless_trial_is_stopped_and_another_is_not() -> None:
    assert asked(trainer()) == ([(2, 0.5)], True)
    assert asked(trainer(), hopeless=False) == ([(2, 0.5)], False)


@pytest.mark.parametrize(
    "limits",
    [{"max_steps": 90}, {"check_val_every_n_epoch": None}, {"val_check_batch": 5}],
    ids=lambda one: next(iter(one)),
)
def test_steps_are_told_where_steps_say_when_it_validates_or_ends(limits: dict[str, Any]) -> None:
    assert asked(trainer(**limits)) == ([(30, 0.5)], True)


@pytest.mark.parametrize(
    ("limits", "pruned"),
    [
        ({"current_epoch": 3}, False),
        ({"current_epoch": 3, "is_last_batch": False}, True),
        ({"max_epochs": -1, "current_epoch": 3}, True),
        ({"max_steps": 30}, False),
        ({"max_steps": 31}, True),
        ({"min_epochs": 3}, True),
        ({"min_epochs": 4}, False),
        ({"min_epochs": 3, "is_last_batch": False}, False),
        ({"min_steps": 30}, True),
        ({"min_steps": 31}, False),
    ],
    ids=str,
)
def test_a_trial_at_its_end_or_before_its_minimum_is_reported_but_not_stopped(
    limits: dict[str, Any], pruned: bool
) -> None:
    reported, found = asked(trainer(**limits))
    assert ([value for _, value in reported], found) == ([0.5], pruned)


def test_a_metric_of_the_training_is_asked_about_once_an_epoch() -> None:
    assert asked(trainer(callback_metrics={"train/loss": torch.tensor(0.25)}), "train/loss") == ([(2, 0.25)], True)


def test_a_run_of_steps_is_asked_with_each_validation_also_by_a_metric_of_the_training() -> None:
    measured = {"callback_metrics": {"train/loss": torch.tensor(0.25)}, "check_val_every_n_epoch": None}
    one, reported = trainer(**measured, is_last_batch=False), list[Any]()
    callback = Pruning(lambda *given: bool(reported.append(given)) or True, lambda: None)
    callback.on_validation_end(one, SimpleNamespace(metric="train/loss", counts_steps=True))
    assert (reported, one.should_stop) == ([(30, 0.25)], True)
    assert asked(trainer(**measured), "train/loss", by_steps=True) == ([(30, 0.25)], True), "once"


@pytest.mark.parametrize(
    "values", [{"callback_metrics": {}}, {"state": SimpleNamespace(fn="test")}], ids=["none", "test"]
)
def test_without_a_value_of_a_training_nothing_is_asked(values: dict[str, Any]) -> None:
    one, reported = trainer(**values), list[Any]()
    Pruning(lambda *given: bool(reported.append(given)), lambda: None).on_validation_end(
        one, SimpleNamespace(metric="val/loss", counts_steps=False)
    )
    assert not reported
