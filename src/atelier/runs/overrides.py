"""Splits overrides such as `+key=value` into key and value, as text; `atelier.sweeps.grid` parses the values."""

import re
import shlex
from collections.abc import Sequence


def key_of(override: str) -> str:
    """
    >>> key_of("+callbacks=filters"), key_of("optimizer.lr=0.1")
    ('callbacks', 'optimizer.lr')
    """
    return bare(override.partition("=")[0])


def bare(key: str) -> str:
    return key.lstrip("+~")


def merged(before: Sequence[str], now: Sequence[str]) -> list[str]:
    """The overrides `before`, without keys and groups that are set `now`, followed by the overrides `now`.

    >>> merged(["optimizer=adam", "optimizer.lr=0.1", "seed=1"], ["optimizer=sgd"])
    ['seed=1', 'optimizer=sgd']
    """
    keys = [key_of(override) for override in now]
    if "trainer" in keys:  # it chooses other devices: what else was set of the trainer stays
        keys += [f"trainer.{name}" for name in ("accelerator", "devices", "num_nodes", "strategy", "precision")]
    below = tuple(f"{key}." for key in keys if key != "trainer")
    return [one for one in before if key_of(one) not in keys and not key_of(one).startswith(below)] + list(now)


def typed(key: str, value: object) -> str:
    """`key=value` quoted for the shell and for Hydra.

    >>> print(typed("resume", "logs/run 1"))
    'resume='"'"'logs/run 1'"'"''
    """
    simple = re.fullmatch(r"[\w./:@-]+", str(value), re.ASCII)
    return shlex.quote(f"{key}={value if simple else quoted(value)}")


def value_of(override: str) -> str:
    return override.partition("=")[2]


def quoted(value: object) -> str:
    """A value in quotes, so that Hydra's parser reads it back unchanged: a backslash is one except before a quote.

    >>> print(quoted("a = {b}"), quoted("C:\\\\runs"), quoted("it's"))
    'a = {b}' 'C:\\runs' 'it\\'s'
    """
    text = re.sub(r"(\\*)('|\Z)", lambda found: found[1] * 2 + found[2].replace("'", "\\'"), str(value))
    return f"'{text}'"
