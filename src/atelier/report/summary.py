"""Writes summary.csv, a row for each run, and settings.csv and summary.md, a row for each setting."""

import csv
import io
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from atelier.claims.verdict import Decided
from atelier.claims.words import claims_table
from atelier.compare.difference import Comparison, Difference
from atelier.figures.words import as_markdown, as_number, markdown_row
from atelier.report.notes import cautions, questions, title
from atelier.report.pictures import Picture
from atelier.report.table import Cell, Column, Table
from atelier.runs.setting import leaves
from atelier.sweeps.aggregate import Results, Setting
from atelier.sweeps.records import Record


def summary_csv(results: Results, output: Path) -> str:
    """A row for each run; the columns are the swept keys and all keys of run.json, such as `objective.best`."""
    return as_csv([run_row(record, results.keys, output) for record in results.records])


def settings_csv(results: Results, comparison: Comparison | None) -> str:
    """A row for each setting: means, deviations and numbers of runs, and the differences of the comparison."""
    differences = comparison.differences if comparison else [None] * len(results.settings)
    return as_csv([setting_row(*pair, results.metric) for pair in zip(results.settings, differences, strict=True)])


def setting_row(setting: Setting, difference: Difference | None, metric: str | None) -> dict[str, Any]:
    tested = {f"test/{name}": one for name, one in setting.test.items()}
    measured = {metric or "objective": setting.objective, **tested, "seconds": setting.seconds}
    row: dict[str, Any] = {**setting.values, "runs": len(setting.records), "completed": len(setting.completed)}
    for name, one in measured.items():
        row |= {name: one.mean, f"{name} std": one.std, f"{name} n": one.n}
    names = {"difference": "mean", "difference low": "low", "difference high": "high", "difference pairs": "pairs"}
    row |= {name: getattr(difference, field) for name, field in names.items() if difference}
    return {**row, "config_hash": setting.config_hash}


def as_csv(rows: Sequence[dict[str, Any]]) -> str:
    columns = list(dict.fromkeys(name for row in rows for name in row))
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, columns, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows({key: as_text(value) for key, value in row.items()} for row in rows)
    return text.getvalue()


def as_text(value: Any) -> Any:
    """A value that a spreadsheet does not take for a formula: a text that begins like one begins with ' instead.

    >>> as_text("=1+1"), as_text("-0.5"), as_text(-0.5)
    ("'=1+1", '-0.5', -0.5)
    """
    formula = isinstance(value, str) and value.startswith(("=", "+", "-", "@")) and as_number(value) is None
    return f"'{value}" if formula else value


def run_row(record: Record, keys: list[str], output: Path) -> dict[str, Any]:
    row: dict[str, Any] = {"folder": relative(record.folder, output) or ""}
    row |= {key: record.value(key) for key in keys}
    for key, value in leaves(record.manifest):
        if key != "overrides":
            row.setdefault(key, value)
    return {**row, "overrides": " ".join(map(str, record.get("overrides") or []))}


def relative(folder: Path | None, output: Path) -> str | None:
    """The relative path from the report's folder to a run's folder, for links."""
    return None if folder is None else Path(os.path.relpath(folder.resolve(), output.resolve())).as_posix()


def summary_md(
    results: Results, decided: Sequence[Decided], table: Table, pictures: Sequence[Picture], problems: Sequence[str]
) -> str:
    lines = [as_markdown(f"# {title(results)}"), ""]
    lines += [as_markdown(f"{question}\n") for question in questions(results)]
    lines += [*claims_table(decided), ""] if decided else []
    lines += [as_markdown(table.caption), ""]
    lines += [as_markdown(f"- {note}") for note in [*cautions(results), *problems]]
    lines += ["", *table_lines(table.columns, table.rows)]
    for picture in pictures:
        told = as_markdown(picture.caption)
        lines += ["", f"![{told}](figures/{picture.path.name}.png)", "", told]
    return "\n".join(lines) + "\n"


def table_lines(columns: Sequence[Column], rows: Sequence[Sequence[Cell]]) -> Iterator[str]:
    """The lines of a Markdown table, with numbers aligned to the right."""
    yield markdown_row(as_markdown(column.title) for column in columns)
    yield markdown_row("--:" if column.numeric else "---" for column in columns)
    yield from (markdown_row(as_markdown(cell.text) for cell in row) for row in rows)
