"""Writes README's table of our best numbers: each report's, ours by its recipe, and our best, from the record alone."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from annotated_types import Gt, MinLen

from atelier.arguments import check_complete
from atelier.claims.claim import Words
from atelier.errors import InputError
from atelier.figures.words import markdown_row, number
from atelier.results.plan import read_keys
from atelier.results.record import read_record
from atelier.results.studies import load
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
        task: what is measured, in words.
        report: the report's number, in words.
        metric: a metric of the test.
        recipe, best: where our numbers are from, see `Source`; null: there is none.
        factor: multiplies the metric.
        unit: stands after the number.
    """

    task: Words
    report: Words
    metric: str
    recipe: Mapping[str, Any] | None = None
    best: Mapping[str, Any] | None = None
    factor: Annotated[float, Gt(0)] = 1.0
    unit: str = ""


@dataclass(frozen=True)
class Source:
    """The setting of a study that has these values of its swept keys."""

    study: str
    of: Mapping[str, Any]


def with_bests(readme: str, conf: Path, docs: Path) -> str:
    """The text of README.md with the table of `conf`/bests.yaml between its marks; without marks, as it is."""
    before, begin, rest = readme.partition(BEGIN)
    if not begin:
        return readme
    _, end, after = rest.partition(END)
    if not end:
        raise InputError(f"README.md: {BEGIN.strip()} has no {END.strip()} after it")
    return before + begin + "\n".join(table(conf, docs)) + "\n" + end + after


def table(conf: Path, docs: Path) -> list[str]:
    """The lines of the table.

    Raises:
        InputError: if the file cannot be read, or a row is wrong.
    """
    file = conf / "bests.yaml"
    content = read_keys(file, Bests)
    titles = ["task", "report", "ours, its recipe", "ours, at its best", "training"]
    lines = [markdown_row(titles), markdown_row(["---"] * len(titles))]
    for index, node in enumerate(content["rows"]):
        where = f"{file.name}: rows[{index}]"
        check_complete(where, Row, node)
        row = Row(**node)
        recipe, best = (runs_from(f"{where}.{key}", getattr(row, key), conf, docs) for key in ("recipe", "best"))
        numbers = [told(where, row, recipe), told(where, row, best)]
        lines.append(markdown_row([row.task, row.report, *numbers, training(recipe if best is None else best)]))
    return lines


def runs_from(where: str, node: Mapping[str, Any] | None, conf: Path, docs: Path) -> list[Record] | None:
    """The runs in the record of a source; None without one."""
    if node is None:
        return None
    check_complete(where, Source, node)
    source = Source(**node)
    matching = [setting for setting in load(conf, source.study).settings if has(setting, source.of)]
    if len(matching) != 1:
        raise InputError(
            f"{where}.of={dict(source.of)}: {len(matching)} settings of study={source.study} have it; give 1"
        )
    records = [one for one in read_record(docs / "results" / source.study) if one.status == "completed"]
    return [one for one in records if has({key: one.value(key) for key in source.of}, source.of)]


def told(where: str, row: Row, runs: Sequence[Record] | None) -> str:
    """The mean and the deviation of a row's metric over runs, and their number."""
    if not runs:
        return DASH if runs is None else "not yet run"
    found = Statistic.of(run.get("test", row.metric) for run in runs)
    if found.mean is None:
        raise InputError(f"{where}.metric={row.metric}: no run of the record has it")
    deviation = None if found.std is None else row.factor * found.std
    return f"{number(row.factor * found.mean, deviation)}{row.unit}, n = {found.n}"


def training(runs: Sequence[Record] | None) -> str:
    """The shortest time of a training, which others have disturbed least, and the devices and precisions of all."""
    shortest = min(filter(None, (run.get("seconds", "fit") for run in runs or [])), default=None)
    if shortest is None:
        return DASH
    time = f"{shortest:.0f} s" if shortest < 120 else f"{shortest / 60:.0f} min"
    return "; ".join([time, *sorted({f"{run.get('device')}, {run.get('precision')}" for run in runs or []})])
