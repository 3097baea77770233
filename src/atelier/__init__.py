"""Atelier: deep-learning experiments that are composed from configuration and started by a single command.

In Python: `atelier.train` starts a run, `atelier.load` opens a finished one, `atelier.runs` lists them; see
docs/python.md. They are imported when they are first used.
"""

import importlib
from collections.abc import Mapping
from types import ModuleType
from typing import Any

import atelier.runs

OFFERED = {
    "FinishedRun": "atelier.api.finished",
    "InputError": "atelier.errors",
    "RunFailed": "atelier.api.train",
    "load": "atelier.api.finished",
    "train": "atelier.api.train",
}


class Runs(ModuleType):
    """The package `atelier.runs`, of what belongs to a run's folder; called, it gives the table of runs."""

    def __call__(self, experiment: str | None = None, where: Mapping[str, Any] | str | None = None) -> Any:
        """The table of all runs; see `atelier.api.table.runs`."""
        from atelier.api.table import runs

        return runs(experiment, where)


atelier.runs.__class__ = Runs


def __getattr__(name: str) -> Any:
    if name not in OFFERED:
        raise AttributeError(f"module 'atelier' has no attribute {name!r}")
    return getattr(importlib.import_module(OFFERED[name]), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *OFFERED])
