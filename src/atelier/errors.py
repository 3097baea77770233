"""The one exception that means 'the user can fix this': shown as its message, without a traceback."""

from collections.abc import Iterator
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
