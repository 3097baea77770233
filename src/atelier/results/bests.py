"""Writes README's table of the best numbers: each report's, ours by its recipe, and our best, from the record alone."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import yaml
from annotated_types import Gt, MinLen

from atelier.arguments import check_complete
from atelier.errors import InputError
from atelier.figures.words import number
from atelier.report.summary import line
from atelier.results.claims import Words
from atelier.results.record import read_record
from atelier.results.studies import load
from atelier.runs.folder import LOADER
from atelier.runs.statistic import Statistic
from atelier.sweeps.grid import has
from atelier.sweeps.records import Record

BEGIN, END = "<!-- bests: make results ARGS=export -->\n", "<!-- /bests -->\n"
DASH = "–"


@dataclass(frozen=True)
class Bests:
    """The keys of conf/bests.yaml."""

    rows: Annotated[Sequence[Any], MinLen(1)]


@dataclass(frozen=True)
class Row:
    """The keys of a row.

    Args:
        what: what is measured, in words.
        report: the report's number, in words.
        metric: a metric of the test.
        recipe, best: a study of `Runs`; null: none.
        factor: multiplies the metric.
        unit: stands after the number.
    """

    what: Words
    report: Words
    metric: str
    recipe: Mapping[str, Any] | None = None
    best: Mapping[str, Any] | None = None
    factor: Annotated[float, Gt(0)] = 1.0
    unit: str = ""


@dataclass(frozen=True)
class Runs:
    """The settings of a study with these values of its swept keys."""

    study: str
    of: Mapping[str, Any]


def with_bests(readme: str, conf: Path, docs: Path) -> str:
    """The text of README.md with the table of `conf`/bests.yaml between its marks; without marks, as it is."""
    before, begin, rest = readme.partition(BEGIN)
    _, end, after = rest.partition(END)
    return before + begin + "\n".join(table(conf, docs)) + "\n" + end + after if end else readme


def table(conf: Path, docs: Path) -> list[str]:
    """The lines of the table.

    Raises:
        InputError: if a row is wrong, or names a study that is not there.
    """
    file = conf / "bests.yaml"
    content = yaml.load(file.read_text(encoding="utf-8"), LOADER)
    check_complete(file.name, Bests, content)
    lines = [line(["task", "report", "ours, its recipe", "ours, at its best", "training"]), line(["---"] * 5)]
    for index, node in enumerate(content["rows"]):
        where = f"{file.name}: rows[{index}]"
        check_complete(where, Row, node)
        row = Row(**node)
        recipe, best = (runs_of(f"{where}.{key}", getattr(row, key), conf, docs) for key in ("recipe", "best"))
        lines.append(line([row.what, row.report, told(row, recipe), told(row, best), time_of(best or recipe)]))
    return lines


def runs_of(where: str, node: Mapping[str, Any] | None, conf: Path, docs: Path) -> list[Record] | None:
    """The runs in the record of a study's settings; None without a node."""
    if node is None:
        return None
    check_complete(where, Runs, node)
    settings = load(conf, node["study"]).settings
    if not any(has(setting, node["of"]) for setting in settings):
        raise InputError(f"{where}.of: no setting of study={node['study']} has {dict(node['of'])}")
    records = read_record(docs / "results" / node["study"])
    return [one for one in records if has({key: one.value(key) for key in node["of"]}, node["of"])]


def told(row: Row, runs: Sequence[Record] | None) -> str:
    """The mean and the deviation of a row's metric over runs, and their number."""
    if runs is None:
        return DASH
    found = Statistic.of(run.get("test", row.metric) for run in runs)
    if found.mean is None:
        return "not yet run"
    deviation = None if found.std is None else row.factor * found.std
    return f"{number(row.factor * found.mean, deviation)}{row.unit}, n = {found.n}"


def time_of(runs: Sequence[Record] | None) -> str:
    """The mean time of a training, its device and its precision."""
    found = Statistic.of(run.get("seconds", "fit") for run in runs or [])
    if found.mean is None:
        return DASH
    where = {f"{run.get('device')}, {run.get('threads')} thread, {run.get('precision')}" for run in runs or []}
    time = f"{found.mean:.0f} s" if found.mean < 120 else f"{found.mean / 60:.0f} min"
    return f"{time}; {'; '.join(sorted(where))}"
