"""What may stand under `study:` in conf/study/*.yaml, and the file as it is now."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from atelier.arguments import check_complete
from atelier.errors import InputError
from atelier.runs.overrides import key_of
from atelier.sweeps.records import LOADER
from atelier.sweeps.sweep import Sweep

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
    """The `study` node of a file in `conf`/study/ as it is now, checked; None if there is no such file.

    Raises:
        InputError: if it cannot be read, or is not as it should be.
    """
    file = conf / "study" / f"{name}.yaml"
    try:
        node = (yaml.load(file.read_text(encoding="utf-8"), LOADER) or {}).get("study") or {}
        check_study(node)
    except FileNotFoundError:
        return None
    except (yaml.YAMLError, InputError) as error:
        raise InputError(f"{file}: {error}") from error
    return node


def presentation(sweep: Sweep, conf: Path) -> dict[str, Any]:
    """A sweep's study, told as its file says now: its title, question, claims and figures.

    Where the file is gone, or something of the study was typed, all is as it was when the sweep began.
    """
    stored = sweep.content.get("presentation") or {}
    typed = any(key_of(str(one)).startswith("study.") for one in sweep.content.get("command") or [])
    now = None if typed else written(conf, str(sweep.content.get("study")))
    if now is None:
        return stored
    of_the_search = [one for one in stored.get("figures") or [] if one.get("kind") == "search"]
    kept = {key: value for key, value in stored.items() if key not in SHOWN}
    told = {key: now[key] for key in SHOWN if now.get(key) is not None}
    return {**kept, **told, "figures": [*of_the_search, *(now.get("figures") or [])]}
