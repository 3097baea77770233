"""Writes report.html, a single page that contains its figures, styles and scripts, and loads no other file."""

import base64
import math
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from atelier.claims.verdict import Decided
from atelier.claims.words import check_rows, verdict_told
from atelier.compare.marks import listed
from atelier.compare.scores import best_of, best_place, unit_of
from atelier.figures.words import duration, key_titles, metric_words, number, whole_number
from atelier.project import command
from atelier.report.notes import cautions, questions, title
from atelier.report.pictures import Picture
from atelier.report.summary import relative
from atelier.report.table import Cell, Column, Table, value_cell
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


def page(
    results: Results,
    decided: Sequence[Decided],
    table: Table,
    pictures: Sequence[Picture],
    problems: Sequence[str],
    output: Path,
) -> str:
    """The HTML text of the page; links are relative to `output`."""
    return TEMPLATES.get_template("page.html").render(
        title=title(results),
        questions=questions(results),
        claims=[(verdict_told(one), one.claim, check_rows(one)) for one in decided],
        program=command("train"),
        commands=[shlex.join(words) for sweep in results.sweeps if (words := sweep.content.get("command"))],
        notes=[*cautions(results), *problems],
        settings=table,
        pictures=[(picture, as_data(picture)) for picture in pictures],
        runs=runs_table(results, output),
        facts=[facts(record) for record in results.records],
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


def runs_table(results: Results, output: Path) -> Table:
    """The table of runs, in which the page adds the error to the status and `facts` to the last column."""
    records, unit = results.records, unit_of(results.records)
    folders = (relative(record.folder, output) for record in records)
    bests = [best_of(record, results.metric) for record in records]
    cells = [Cell(whole_number(one), one if one is not None and math.isfinite(one) else None) for one in bests]
    places = [None if best is None else best_place(record, unit) for record, best in zip(records, bests, strict=True)]
    times = (record.get("seconds", "fit") for record in records)
    titles = key_titles(results.keys).items()
    return Table(
        [
            Column("run", [Cell(folder or "–", folder) for folder in folders], numeric=False),
            Column("status", [Cell(record.status, record.status) for record in records], numeric=False),
            *(Column(words, [value_cell(r.value(key)) for r in records], numeric=False) for key, words in titles),
            Column("seed", [Cell("–" if (seed := r.get("seed")) is None else str(seed), seed) for r in records]),
            Column(f"best {metric_words(results.metric or 'objective')}", cells),
            Column(f"at {unit}", [Cell("–" if place is None else f"{place + 1:,}", place) for place in places]),
            Column("training time", [Cell(duration(seconds), seconds) for seconds in times]),
            Column("more", [Cell("details", None) for _ in records], numeric=False, sortable=False),
        ]
    )


def facts(record: Record) -> dict[str, Any]:
    """{name: value} of the folded details of a run; the page leaves out empty values."""
    git = record.get("git") or {}
    return {
        "error": ": ".join(str(part) for key in ("type", "message") if (part := record.get("error", key))),
        "tags": listed(record.get("tags")),
        "note": record.get("note"),
        "overrides": " ".join(map(str, record.get("overrides") or [])),
        "test": ", ".join(f"{name} {number(value)}" for name, value in (record.get("test") or {}).items()),
        **{key: record.get(key) for key in ("epochs", "device", "processes", "threads", "precision")},
        "memory": f"{number(record.get('peak_memory_mb'))} MB" if record.get("peak_memory_mb") else "",
        "versions": ", ".join(f"{name} {version}" for name, version in (record.get("versions") or {}).items()),
        "commit": f"{git.get('commit') or ''}{' with changes' if git.get('dirty') else ''}",
        "setting": record.get("config_hash"),
    }
