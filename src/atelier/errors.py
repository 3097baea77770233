"""The one exception that means 'the user can fix this': shown as its message, without a traceback."""

import difflib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager


class InputError(ValueError):
    """Wrong input; the message names the key, the value and the choices in one or two lines."""


VALUES = (ValueError, RuntimeError)  # what a constructor raises for a value that it cannot take


@contextmanager
def wrong_value(path: str) -> Iterator[None]:
    """Around the call of what the configuration builds at `path`: what it says of its values becomes an InputError.

    The first error stays its cause. Of VALUES' subclasses none is meant, such as NotImplementedError.
    """
    try:
        yield
    except VALUES as error:
        if type(error) not in VALUES:
            raise
        words = str(error).strip().splitlines() or [type(error).__name__]
        raise InputError(f"{path}: {words[0]}") from error


def not_among(name: str, choices: Iterable[str]) -> str:
    """'choose from …', the choice nearest to `name` first."""
    return f"no {name!r}; choose from: {', '.join(nearest_first(name, choices))}"


def nearest_first(name: str, choices: Iterable[str]) -> list[str]:
    """`choices` in the order of their likeness to `name`.

    >>> nearest_first("adamm", ["sgd", "adamw", "adam"])
    ['adam', 'adamw', 'sgd']
    """
    return sorted(choices, key=lambda choice: -difflib.SequenceMatcher(None, name.lower(), choice.lower()).ratio())
