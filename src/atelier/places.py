"""The keys of a user's files and folders: a relative one is meant from the folder in which the command is typed, `~`
from the user's home.

A run stores them in full, so that it can be evaluated and resumed from any folder.
"""

import os
from collections.abc import Container, Iterable

from omegaconf import DictConfig, OmegaConf

from atelier.runs.overrides import key_of, quoted

# Those of `paths` come first: a value that interpolates them follows, and stays an interpolation in the setting's hash.
PLACES = ("paths.data", "data.file", "data.images", "data.labels", "features.run", "features.weights", "checkpoint")
WORDS = ("best", "last")  # checkpoints of the run itself


def in_full(config: DictConfig, stored: DictConfig | None = None, new: Container[str] = ()) -> None:
    """Make the relative places of a configuration absolute.

    Args:
        stored: the configuration of a run to resume, which decides the places that are not `new`.
    """
    for key in PLACES:
        value = None if OmegaConf.is_missing(config, key) else OmegaConf.select(config, key)
        word = key == "checkpoint" and value in WORDS
        if isinstance(value, str) and not word and not os.path.isabs(value):
            known = None if stored is None or key in new else OmegaConf.select(stored, key)
            OmegaConf.update(config, key, known or os.path.abspath(os.path.expanduser(value)))


def with_places(overrides: Iterable[str], config: DictConfig) -> list[str]:
    """The overrides, with the places of a configuration that has them `in_full`; interpolations stay as they are."""
    told = []
    for override in overrides:
        place = OmegaConf.select(config, key_of(override)) if key_of(override) in PLACES else None
        known = place is None or str(place) in override or "${" in override
        told.append(override if known else f"{override.partition('=')[0]}={quoted(place)}")  # with its + if it has one
    return told
