"""The schema of the `study:` node in conf/study/*.yaml, and functions that read it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from atelier.arguments import check_complete
from atelier.errors import InputError, unread
from atelier.project import find
from atelier.runs.folder import LOADER
from atelier.runs.overrides import key_of
from atelier.sweeps.sweep import Sweep

Values = Mapping[str, Any]  # {key: value}
SHOWN = ("title", "question", "claims", "figures")  # keys of the presentation, which do not change the jobs


@dataclass(frozen=True)
class Study:
    """The keys of a study."""

    title: str | None = None
    question: str | None = None  # that the study answers
    grid: Values | None = None  # {key: values}; every combination is a job
    settings: Sequence[Values] | None = None  # values that vary together; a first {} is the base of the others
    quick: Values | None = None  # {key: value or values} that budget=quick changes
    figures: Sequence[Values] | None = None  # each {kind, …}; see `atelier.report.pictures.check_figure`
    claims: Sequence[Values] | None = None  # of the report; see `atelier.claims.claim`
    tables: Values | None = None  # {name: table} for lookups in the study's own configuration


def written(conf: Path, name: str) -> dict[str, Any] | None:
    """The content of the file `conf`/study/`name`.yaml with its checked `study` node; None if there is no such file.

    Raises:
        InputError: if the file cannot be read, or its study has a wrong key or value.
    """
    file = find(conf, f"study/{name}.yaml")
    try:
        content = yaml.load(file.read_text(encoding="utf-8"), LOADER) or {}
        node = (content if isinstance(content, dict) else {"study": content}).get("study") or {}
        check_complete("study", Study, node)
    except FileNotFoundError:
        return None
    except (yaml.YAMLError, UnicodeDecodeError, InputError) as error:
        raise InputError(f"{file}: {unread(error)}") from error
    return {**content, "study": node}


def presentation(sweep: Sweep, conf: Path) -> dict[str, Any]:
    """A sweep's study, with title, question, claims and figures from the study's present file.

    If the file is gone, or the sweep's command changed the study, the study is that of the sweep's start.
    """
    stored = sweep.content.get("presentation") or {}
    typed = any(key_of(str(one)).startswith("study.") for one in sweep.content.get("command") or [])
    content = None if typed else written(conf, str(sweep.content.get("study")))
    if content is None:
        return stored
    now = content["study"]
    of_the_search = [one for one in stored.get("figures") or [] if one.get("kind") == "search"]
    kept = {key: value for key, value in stored.items() if key not in SHOWN}
    told = {key: now[key] for key in SHOWN if now.get(key) is not None}
    return {**kept, **told, "figures": [*of_the_search, *(now.get("figures") or [])]}
