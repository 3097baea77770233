"""Writes report.html, a single page that contains its figures, styles and scripts, and loads no other file."""

import base64
import math
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from atelier.figures.words import metric_words, number
from atelier.report.groups import best_place, unit_of
from atelier.report.notes import caption, cautions, heading
from atelier.report.pictures import Picture
from atelier.report.summary import relative
from atelier.report.table import Cell, Column, Table, duration, key_titles, value_cell
from atelier.sweeps.aggregate import Results
from atelier.sweeps.records import Record

# page.html includes page.css and page.js. Texts of runs and studies are escaped.
TEMPLATES = Environment(
    loader=FileSystemLoader(Path(__file__).parent),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


@dataclass(frozen=True)
class Row:
    """A run in the table of runs.

    Args:
        folder: path from the page to the run's folder, if the run has started.
        status, error: the run's status, and its error.
        cells: the cells of the columns after the status.
        facts: {name: value} of the folded details; the page leaves out empty values.
    """

    folder: Cell
    status: Cell
    error: str
    cells: list[Cell]
    facts: dict[str, Any]


def page(results: Results, table: Table, pictures: Sequence[Picture], problems: Sequence[str], output: Path) -> str:
    """The HTML text of the page; links are relative to `output`."""
    head = heading(results)
    return TEMPLATES.get_template("page.html").render(
        heading=head,
        commands=[shlex.join(words) for words in head.command if words],
        caption=caption(results),
        notes=[*cautions(results), *problems],
        settings=table,
        pictures=[(picture, as_data(picture)) for picture in pictures],
        run_columns=columns(results),
        runs=[row(record, results, output) for record in results.records],
        origin=origin(results.records),
    )


def origin(records: Sequence[Record]) -> list[str]:
    """The commits and package versions of the runs."""
    commits = dict.fromkeys(str(c)[:12] for record in records if (c := record.get("git", "commit")))
    versions: dict[str, set[str]] = {}
    for record in records:
        for name, version in (record.get("versions") or {}).items():
            versions.setdefault(name, set()).add(str(version))
    told = [f"{name} {' and '.join(sorted(found))}" for name, found in versions.items()]
    return [*(f"commit {commit}" for commit in commits), *told]


def as_data(picture: Picture) -> str:
    """The SVG file of a figure as a data URL."""
    svg = picture.path.with_name(f"{picture.path.name}.svg").read_bytes()
    return f"data:image/svg+xml;base64,{base64.b64encode(svg).decode()}"


def columns(results: Results) -> list[Column]:
    titles = key_titles(results.keys)
    return [
        *(Column(title, numeric=False) for title in ("run", "status", *(titles[key] for key in results.keys))),
        Column("seed"),
        Column(f"best {metric_words(results.metric or 'objective')}"),
        Column(f"at {unit_of(results.records)}"),
        Column("training time"),
        Column("more", numeric=False, sortable=False),
    ]


def row(record: Record, results: Results, output: Path) -> Row:
    folder, seed, best = relative(record.folder, output), record.get("seed"), record.get("objective", "best")
    place, seconds = best_place(record, unit_of(results.records)), record.get("seconds", "fit")
    return Row(
        folder=Cell(folder or "–", folder),
        status=Cell(record.status, record.status),
        error=": ".join(str(part) for key in ("type", "message") if (part := record.get("error", key))),
        cells=[
            *(value_cell(record.value(key)) for key in results.keys),
            Cell("–" if seed is None else str(seed), seed),
            Cell(number(best), best if best is not None and math.isfinite(best) else None),
            Cell("–" if place is None else f"{place + 1:,}", place),
            Cell(duration(seconds), seconds),
        ],
        facts=facts(record),
    )


def facts(record: Record) -> dict[str, Any]:
    git = record.get("git") or {}
    return {
        "overrides": " ".join(map(str, record.get("overrides") or [])),
        "test": ", ".join(f"{name} {number(value)}" for name, value in (record.get("test") or {}).items()),
        **{key: record.get(key) for key in ("epochs", "device", "processes", "threads", "precision")},
        "memory": f"{number(record.get('peak_memory_mb'))} MB" if record.get("peak_memory_mb") else "",
        "versions": ", ".join(f"{name} {version}" for name, version in (record.get("versions") or {}).items()),
        "commit": f"{git.get('commit') or ''}{' with changes' if git.get('dirty') else ''}",
        "setting": record.get("config_hash"),
    }
