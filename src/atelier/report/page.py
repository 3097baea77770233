"""report.html: one page that holds everything, and asks for nothing from anywhere."""

import base64
import math
import shlex
import textwrap
from collections.abc import Sequence
from html import escape
from pathlib import Path
from string import Template
from urllib.parse import quote

from atelier.figures.words import metric_words, number
from atelier.report.groups import best_place, unit_of
from atelier.report.notes import caption, cautions, heading
from atelier.report.pictures import Picture
from atelier.report.summary import relative
from atelier.report.table import Cell, Column, Table, duration, key_titles, value_cell
from atelier.sweeps.aggregate import Results
from atelier.sweeps.records import Record

HERE = Path(__file__).parent
Html = tuple[Cell, str]  # a cell with what it is sorted by, and its contents as HTML


def page(results: Results, table: Table, pictures: Sequence[Picture], problems: Sequence[str], output: Path) -> str:
    """The whole page; links lead from `output` to the runs' folders."""
    head = heading(results)
    told = [("Question", head.question), ("Claim", head.claim)]
    notes = "".join(f"<li>{escape(note)}</li>" for note in [*cautions(results), *problems])
    return Template((HERE / "page.html").read_text(encoding="utf-8")).substitute(
        title=escape(head.title),
        heading="\n".join(f"<p><strong>{word}.</strong> {escape(text)}</p>" for word, text in told if text),
        caption=escape(caption(results)),
        notes=f'<ul class="notes">{notes}</ul>' if notes else "",
        settings=sortable("settings", table.columns, [[shown(cell) for cell in row] for row in table.rows]),
        figures=f'<div class="figures">{"".join(map(figure, pictures))}</div>' if pictures else "<p>None yet.</p>",
        runs=runs_table(results, output),
        footer=footer(results, head.command),
        style=(HERE / "page.css").read_text(encoding="utf-8"),
        script=(HERE / "page.js").read_text(encoding="utf-8"),
    )


def footer(results: Results, commands: Sequence[Sequence[str]]) -> str:
    """How all this came about."""
    lines = [f"Made by <code>python src/train.py -m {escape(shlex.join(words))}</code>" for words in commands if words]
    commits = dict.fromkeys(str(c)[:12] for record in results.records if (c := record.get("git", "commit")))
    versions: dict[str, set[str]] = {}
    for record in results.records:
        for name, version in (record.get("versions") or {}).items():
            versions.setdefault(name, set()).add(str(version))
    told = [f"commit {commit}" for commit in commits]
    told += [f"{name} {' and '.join(sorted(found))}" for name, found in versions.items()]
    lines += [f"With {escape(', '.join(told))}."] if told else []
    lines.append('Every run: <a href="summary.csv">summary.csv</a>. The table: <a href="summary.md">summary.md</a>.')
    return "\n".join(f"<p>{line}</p>" for line in lines)


def figure(picture: Picture) -> str:
    """The SVG as data, so that the page needs no other file; it links to nothing."""
    data = base64.b64encode(picture.path.with_name(f"{picture.path.name}.svg").read_bytes()).decode()
    return (
        f'<figure class="{"wide" if picture.wide else "narrow"}">'
        f'<img src="data:image/svg+xml;base64,{data}" alt="{escape(picture.alternative)}">'
        f"<figcaption>{escape(picture.caption)}</figcaption></figure>\n"
    )


def sortable(name: str, columns: Sequence[Column], rows: Sequence[Sequence[Html]]) -> str:
    """A table whose headings are buttons that sort, under a field that filters."""
    kinds = [' class="number"' if column.numeric else "" if column.sortable else ' class="more"' for column in columns]
    heads = "".join(map(head, columns, kinds))
    body = "\n".join(
        "<tr>"
        + "".join(
            f"<td{kind}{'' if cell.sort is None else f' data-sort={quoted(cell.sort)}'}>{text}</td>"
            for (cell, text), kind in zip(row, kinds, strict=True)
        )
        + "</tr>"
        for row in rows
    )
    return (
        f'<div class="sortable" id="{name}">\n<div class="filter"><label for="{name}-filter">Filter {name}</label>'
        f'<input id="{name}-filter" type="search" autocomplete="off"><output for="{name}-filter"></output></div>\n'
        f'<div class="scroll" tabindex="0" role="region" aria-label="{name}">'
        f"<table><thead><tr>{heads}</tr></thead>\n<tbody>\n{body}\n</tbody></table></div>\n</div>"
    )


def head(column: Column, kind: str) -> str:
    title = escape(column.title)
    if not column.sortable:
        return f'<th scope="col"{kind}><span>{title}</span></th>'
    return f'<th scope="col"{kind} aria-sort="none"><button type="button">{title}</button></th>'


def quoted(value: object) -> str:
    return f'"{escape(str(value))}"'


def runs_table(results: Results, output: Path) -> str:
    titles = key_titles(results.keys)
    columns = [Column("run", numeric=False)]
    columns += [Column(titles[key], numeric=False) for key in results.keys]
    columns += [Column("seed"), Column("status", numeric=False)]
    columns += [Column(f"best {metric_words(results.metric or 'objective')}"), Column(f"at {unit_of(results.records)}")]
    columns += [Column("training time"), Column("more", numeric=False, sortable=False)]
    return sortable("runs", columns, [run_cells(record, results, output) for record in results.records])


def run_cells(record: Record, results: Results, output: Path) -> list[Html]:
    seed, best = record.get("seed"), record.get("objective", "best")
    place = best_place(record, unit_of(results.records))
    folder = relative(record.folder, output)
    link = "–" if folder is None else f'<a href="{escape(quote(folder))}/">{escape(folder)}</a>'
    cells: list[Html] = [(Cell("", folder), link)]
    cells += [shown(value_cell(record.value(key))) for key in results.keys]
    cells.append(shown(Cell("–" if seed is None else str(seed), seed)))
    cells.append((Cell("", record.status), status(record)))
    cells.append(shown(Cell(number(best), best if best is not None and math.isfinite(best) else None)))
    cells.append(shown(Cell("–" if place is None else f"{place + 1:,}", place)))
    seconds = record.get("seconds", "fit")
    cells.append(shown(Cell(duration(seconds), seconds)))
    return [*cells, (Cell("", None), more(record))]


def shown(cell: Cell) -> Html:
    return cell, escape(cell.text)


def status(record: Record) -> str:
    """The status, with the first words of the error if there is one."""
    told = escape(record.status)
    if record.status == "failed":
        told = f'<span class="failed">{told}</span>'
    short = textwrap.shorten(error(record), 160, placeholder=" …")
    return f'{told}<span class="error">{escape(short)}</span>' if short else told


def error(record: Record) -> str:
    return ": ".join(str(part) for key in ("type", "message") if (part := record.get("error", key)))


def more(record: Record) -> str:
    """Error, overrides, test values, versions and commit, folded away."""
    facts = {
        "error": error(record),
        "overrides": " ".join(map(str, record.get("overrides") or [])),
        "test": ", ".join(f"{name} {number(value)}" for name, value in (record.get("test") or {}).items()),
        "epochs": record.get("epochs"),
        "device": record.get("device"),
        "processes": record.get("processes"),
        "threads": record.get("threads"),
        "precision": record.get("precision"),
        "memory": f"{number(record.get('peak_memory_mb'))} MB" if record.get("peak_memory_mb") else "",
        "versions": ", ".join(f"{name} {version}" for name, version in (record.get("versions") or {}).items()),
        "commit": f"{record.get('git', 'commit') or ''}{' with changes' if record.get('git', 'dirty') else ''}",
        "setting": record.get("config_hash"),
    }
    told = "".join(f"<dt>{name}</dt><dd>{escape(str(fact))}</dd>" for name, fact in facts.items() if fact)
    return f"<details><summary>details</summary><dl>{told}</dl></details>"
