"""Compares the split of the data with that of the run whose weights a new run tests or starts from."""

import os
from collections.abc import Mapping
from pathlib import Path
from pydoc import locate
from typing import Any

from atelier.errors import InputError
from atelier.runs.checkpoint import open_checkpoint

SAME = ("_target_", "name", "source")  # keys by which the data of two runs are the same data set, besides `images`


def check_tested(checkpoint: str, data: Mapping[str, Any]) -> None:
    """
    Args:
        checkpoint: the path that train=false tests.
        data: the data's options of this command.

    Raises:
        InputError: if the weights were trained with another split of the same data: the test might be on images of the
            training.
    """
    if checkpoint not in ("best", "last") and Path(checkpoint).is_file():
        compare(open_checkpoint(Path(checkpoint))["config"].get("data") or {}, data)


def beware(path: Path, data: Mapping[str, Any]) -> list[str]:
    """A line if the weights of a run's checkpoint, to start from, were trained with another split of the same data."""
    try:
        trained = open_checkpoint(path)["config"].get("data") or {}
    except InputError:  # weights of another program
        return []
    try:
        compare(trained, data)
    except InputError as error:
        return [f"Beware: start.weights={path}: {error}"]
    return []


def compare(trained: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    places = [os.path.abspath(one["images"]) if isinstance(one.get("images"), str) else None for one in (trained, now)]
    if places[0] == places[1] and all(trained.get(key) == now.get(key) for key in SAME):
        owner: Any = locate(now["_target_"])
        owner.check_split(trained, {key: value for key, value in now.items() if key in trained})
