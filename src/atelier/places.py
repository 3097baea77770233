"""The keys of a user's files and folders: a relative one is meant from the folder in which the command is typed.

A run stores them in full, so that it can be evaluated and resumed from any folder.
"""

import os
from collections.abc import Container, Iterable

from omegaconf import DictConfig, OmegaConf

from atelier.runs.overrides import key_of, quoted

PLACES = ("data.images", "data.labels", "features.run", "features.weights")


def in_full(config: DictConfig, stored: DictConfig | None = None, new: Container[str] = ()) -> list[str]:
    """Make the relative places of a configuration absolute, and return their keys.

    Args:
        stored: the configuration of a run to resume, which decides the places that are not `new`.
    """
    relative = []
    for key in PLACES:
        value = None if OmegaConf.is_missing(config, key) else OmegaConf.select(config, key)
        if isinstance(value, str) and not os.path.isabs(value):
            known = None if stored is None or key in new else OmegaConf.select(stored, key)
            OmegaConf.update(config, key, known or os.path.abspath(value))
            relative.append(key)
    return relative


def with_places(overrides: Iterable[str], config: DictConfig, relative: Container[str]) -> list[str]:
    """The overrides, with the configuration's places for the keys that were `relative`."""
    named = ((key_of(override), override) for override in overrides)
    return [f"{key}={quoted(OmegaConf.select(config, key))}" if key in relative else one for key, one in named]
