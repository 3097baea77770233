"""What may stand under `study:` in conf/study/*.yaml, and the file as it is now."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from atelier.arguments import check_complete
from atelier.errors import InputError
from atelier.sweeps.records import LOADER

Values = Mapping[str, Any]  # {key: value}
SHOWN = ("title", "question", "claims", "figures")  # how a sweep is told, whatever of it has run


@dataclass(frozen=True)
class Study:
    """The keys of a study.

    Args:
        title, question: what it is, and what it asks.
        grid: {key: values}, of which every combination is a job.
        settings: further values that vary together, a mapping for each; {} first is the base of the others.
        quick: {key: value or values} that budget=quick changes.
        figures: how to draw it, each {kind, …}; `atelier.report.pictures.check_figure` says what else.
        claims: what the report says of it; `atelier.results.claims` says how.
        tables: {name: anything} that the study's own configuration looks values up in.
    """

    title: str | None = None
    question: str | None = None
    grid: Values | None = None
    settings: Sequence[Values] | None = None
    quick: Values | None = None
    figures: Sequence[Values] | None = None
    claims: Sequence[Values] | None = None
    tables: Values | None = None


def check_study(node: Any) -> None:
    """
    Raises:
        InputError: for a key of a study that there is not, or a value of another kind.
    """
    check_complete("study", Study, node)


def written(conf: Path, name: str) -> dict[str, Any] | None:
    """The `study` node of a file in `conf`/study/ as it is now; None if there is no such file.

    Raises:
        InputError: if it cannot be read.
    """
    file = conf / "study" / f"{name}.yaml"
    try:
        return (yaml.load(file.read_text(encoding="utf-8"), LOADER) or {}).get("study") or {}
    except FileNotFoundError:
        return None
    except yaml.YAMLError as error:
        raise InputError(f"{file} cannot be read: {error}") from error
