"""Writes the report of sweeps and runs: its tables, figures and the page."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.table import Table as Shown
from rich.text import Text

from atelier.claims.judge import judge
from atelier.claims.verdict import Decided
from atelier.claims.words import verdict_told
from atelier.compare.difference import Comparison, compare
from atelier.compare.latex import latex
from atelier.compare.where import matching
from atelier.errors import InputError
from atelier.figures.kinds.importance import LEAST
from atelier.figures.look import Look, Paper, looks
from atelier.report.notes import cautions, title
from atelier.report.page import page
from atelier.report.pictures import draw_pictures
from atelier.report.summary import settings_csv, summary_csv, summary_md
from atelier.report.table import Table, settings_table
from atelier.runs.manifest import write_atomically
from atelier.runs.terminal import table_console
from atelier.runs.trust import check_files
from atelier.sweeps.aggregate import Results, aggregate
from atelier.sweeps.study import presentation


@dataclass(frozen=True)
class Asked:
    """What a report shows; conf/report.yaml describes it."""

    baseline: Mapping[str, Any] | str | None = None
    rows: str | Sequence[str] = ()
    columns: str | Sequence[str] = ()
    metric: str | None = None
    where: str | None = None
    style: str | None = None
    paper: Paper | None = None


def write_report(
    folders: Sequence[Path], output: Path | None = None, conf: Path | None = None, asked: Asked | None = None
) -> Results:
    """Write and print the report of finished or unfinished sweeps and runs; it trains nothing.

    Args:
        folders: of sweeps and runs.
        output: the folder of the report; None: the folder of the only sweep.
        conf: the folder of the present studies; None: use the copy of the study in each sweep.json.
        asked: what the tables and figures show; None: all, as usual.

    Raises:
        InputError: if a folder holds no run, `output` is missing or cannot be written, or a study or style is wrong.
    """
    asked = asked or Asked()
    drawn_for = looks(asked.style, asked.paper)
    results = aggregate(folders, list if asked.where is None else partial(matching, where=asked.where))
    if asked.where is not None and not results.records:
        raise InputError(f"where={asked.where}: no run meets it")
    if conf is not None:
        for sweep in results.sweeps:
            sweep.content["presentation"] = presentation(sweep, conf)
    comparison = compare(results, asked.baseline)
    tex = latex(results, asked.rows, asked.columns, asked.metric)
    if output is None:
        if len(folders) != 1 or not (folders[0] / "sweep.json").is_file():
            raise InputError("output is missing: give output=FOLDER, unless sweep= names the folder of one sweep")
        output = folders[0]
        check_files(output)
    try:
        output.mkdir(parents=True, exist_ok=True)
        write(results, comparison, tex, output, drawn_for, f"Only runs with {asked.where}. " if asked.where else "")
    except (FileExistsError, IsADirectoryError, NotADirectoryError) as error:  # the verb tells of rights and disks
        where = error.filename2 or error.filename
        raise InputError(f"output={output}: {where} cannot be written: {error.strerror}") from error
    return results


def write(
    results: Results, comparison: Comparison | None, tex: str, output: Path, drawn_for: Mapping[str, Look], only: str
) -> None:
    table = settings_table(results, comparison)
    table = replace(table, caption=only + table.caption)
    decided, messages = judge(results, whole=not only)
    write_atomically(output / "summary.csv", summary_csv(results, output))
    write_atomically(output / "settings.csv", settings_csv(results, comparison))
    write_atomically(output / "summary.tex", f"% {' '.join(only.split())}\n" * bool(only) + tex)
    print_table(results, decided, table)  # first, since drawing takes its time
    figures = output / "figures"
    all_drawn = [draw_pictures(results, wanted(results), figures / part, look) for part, look in drawn_for.items()]
    pictures = all_drawn[0][0]
    before = (output / "summary.md").read_text("utf-8") if (output / "summary.md").is_file() else ""
    for name in {*re.findall(r"\(figures/(\w+)\.png\)", before)} - {picture.path.name for picture in pictures}:
        for suffix in (".png", ".svg"):  # of an earlier report, perhaps of fewer runs
            (figures / f"{name}{suffix}").unlink(missing_ok=True)
    problems = list(dict.fromkeys([*messages, *(problem for _, found in all_drawn for problem in found)]))
    write_atomically(output / "summary.md", summary_md(results, decided, table, pictures, problems))
    write_atomically(output / "report.html", page(results, decided, table, pictures, problems, output))
    for problem in problems:
        print(problem)
    print(f"{output}: report.html, summary.md, summary.tex, summary.csv, settings.csv, figures/")


def wanted(results: Results) -> list[dict[str, object]]:
    """The figures of all studies, without duplicates; a search of enough trials also gets its keys' importances."""
    asked = [one for s in results.sweeps for one in (s.content.get("presentation") or {}).get("figures") or []]
    if len(results.keys) > 1 and sum(record.status == "completed" for record in results.records) >= LEAST:
        asked += [{**one, "kind": "importance", "of_search": True} for one in asked if one.get("kind") == "search"]
    return [one for index, one in enumerate(asked) if one not in asked[:index]]


def print_table(results: Results, decided: Sequence[Decided], table: Table) -> None:
    console = table_console()
    shown = drawn(table.up_to(1), title(results), narrow=console.is_terminal)
    if console.measure(shown, options=console.options.update(max_width=500)).maximum > console.width:
        shown = drawn(table.up_to(0), title(results), narrow=True)
    console.print(shown)
    verdicts = [f"Claim, {verdict_told(one)}: {one.claim.says} ({one.claim.where})" for one in decided]
    for line in [table.caption, *cautions(results), *verdicts]:
        console.print(Text(line), soft_wrap=not console.is_terminal)


def drawn(table: Table, above: str, narrow: bool) -> Shown:
    """The table for a console; `narrow`: with each word of a heading in its own line."""
    shown = Shown(box=SIMPLE_HEAD, title=above, title_justify="left", padding=(0, 1, 0, 0))
    for column in table.columns:
        words = column.title.replace(" ", "\n") if narrow else column.title
        shown.add_column(Text(words), justify="right" if column.numeric else "left", overflow="fold")
    for row in table.rows:
        shown.add_row(*(Text(cell.text) for cell in row))
    return shown
