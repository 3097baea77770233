"""The exception for errors that the user can fix; commands print its message without a traceback."""

import difflib
import traceback
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager


class InputError(ValueError):
    """Wrong input; the message names the key, the value and the choices in one or two lines."""


VALUES = (ValueError, RuntimeError)  # exceptions that constructors raise for a wrong value


@contextmanager
def wrong_value(path: str) -> Iterator[None]:
    """Inside this context, an exception of VALUES becomes an InputError with the key `path` and the first line.

    Subclasses of VALUES, such as NotImplementedError, pass unchanged.
    """
    try:
        yield
    except VALUES as error:
        if type(error) not in VALUES:
            raise
        words = str(error).strip().splitlines() or [type(error).__name__]
        raise InputError(f"{path}: {words[0]}") from error


@contextmanager
def faults_of(function: Callable[..., object]) -> Iterator[None]:
    """Inside this context, a fault in a function of a data set becomes an InputError with its file, line and name.

    An InputError and an OSError pass unchanged.
    """
    try:
        yield
    except (InputError, OSError):
        raise
    except Exception as error:
        frames = traceback.extract_tb(error.__traceback__)
        place = next((one for one in reversed(frames) if one.name == function.__name__), frames[-1])
        words = str(error).strip().splitlines() or [""]
        where = f"{place.filename}, line {place.lineno}, in {function.__qualname__}"
        told = f"{where}: {type(error).__name__}: {words[0]}"
        raise InputError(f"{told}\nHYDRA_FULL_ERROR=1 before the command shows the traceback") from error


def unread(error: Exception) -> str:
    """Why a text file cannot be read, in one line, with the number of the file's line where YAML knows it."""
    mark, problem = getattr(error, "problem_mark", None), str(getattr(error, "problem", ""))
    if mark is None:
        return str(error).splitlines()[0]
    tab = "; indent with spaces, not with a tab" if "'\\t'" in problem or "a tab" in problem else ""
    return f"line {mark.line + 1}: {problem}{tab}"


def not_among(name: str, choices: Iterable[str]) -> str:
    """A message with the choices, the most similar to `name` first.

    >>> not_among("adamm", ["sgd", "adam"]), not_among("every", [])
    ("no 'adamm'; choose from: adam, sgd", "no 'every', nor any other key")
    """
    listed = nearest_first(name, choices)
    return f"no {name!r}; choose from: {', '.join(listed)}" if listed else f"no {name!r}, nor any other key"


def not_logged(metric: str, why: str, logged: Iterable[str]) -> str:
    """A message for an objective without a value, with the metrics that have one.

    >>> not_logged("val/los", "no such metric", ["val/loss"])
    'task.metric=val/los: no such metric; logged are: val/loss'
    """
    return f"task.metric={metric}: {why}; logged are: {', '.join(sorted(logged)) or 'nothing'}"


def nearest_first(name: str, choices: Iterable[str]) -> list[str]:
    """`choices` sorted by similarity to `name`, the most similar first.

    >>> nearest_first("adamm", ["sgd", "adamw", "adam"])
    ['adam', 'adamw', 'sgd']
    """
    return sorted(choices, key=lambda choice: -difflib.SequenceMatcher(None, name.lower(), choice.lower()).ratio())
