"""What configurations may work out: tables by limits."""

from collections.abc import Callable
from typing import Any

import pytest
from omegaconf import OmegaConf

from atelier.compose.verb import divide, up_to
from atelier.errors import InputError

TABLE = {15: 0.001, 20: 0.01, 40: 0.02}


@pytest.mark.parametrize(
    ("value", "entry"), [(1, 0.001), (15, 0.001), (16, 0.01), (20, 0.01), (20.5, 0.02), (40, 0.02)]
)
def test_a_value_has_the_entry_of_the_least_limit_that_it_does_not_exceed(value: float, entry: float) -> None:
    assert up_to(value, TABLE) == up_to(value, dict(reversed(TABLE.items()))) == entry


def test_a_value_beyond_all_limits_is_refused() -> None:
    with pytest.raises(InputError, match=r"^41 is above every limit of the table; give at most 40"):
        up_to(41, TABLE)


@pytest.mark.parametrize("divisor", [0, -15, 1.5, 7, "15"])
def test_what_does_not_divide_a_number_is_refused(divisor: Any) -> None:
    assert divide(720, 15) == 48
    with pytest.raises(InputError, match=f"^{divisor} does not divide 720; give one of its divisors"):
        divide(720, divisor)


@pytest.mark.parametrize(("network", "length", "lr"), [("rnn", 20, 0.001), ("lstm", 20, 0.01), ("gru", 30, 0.02)])
def test_a_study_sets_the_learning_rate_of_each_setting(
    compose: Callable[..., Any], network: str, length: int, lr: float
) -> None:
    config = compose("study=asci_palindrome_accuracy", f"network={network}", f"data.length={length}")
    assert OmegaConf.to_container(config.optimizer, resolve=True)["lr"] == lr


def test_what_is_typed_wins_over_the_study(compose: Callable[..., Any]) -> None:
    config = compose("study=asci_palindrome_lstm", "data.length=90", "optimizer.lr=0.5")
    assert config.optimizer.lr == 0.5
