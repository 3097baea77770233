"""The lasting record of a study, docs/results/<study>/: runs.csv has a row for each run, curves.csv its curves.

Both are read as records like those of a sweep's folder, so that tables, figures and verdicts need no logs.
"""

import csv
import io
import json
import math
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from atelier.compare.scores import best_place, scores_of, unit_of
from atelier.errors import InputError
from atelier.results.thin import Wanted, thinned
from atelier.runs.setting import REPEATS
from atelier.sweeps.records import Record

RUNS, CURVES, FIGURES = "runs.csv", "curves.csv", "figures.csv"
DIGITS, CURVE_DIGITS = 8, 5
# Columns from run.json by dotted name, then test.<metric> and at_best.<metric>. The swept keys stand before `seed`.
TEXTS = ("status", "config_hash", "counts", "objective.metric", "objective.mode", "device", "precision", "git.commit")
NUMBERS = (
    *("objective.best", "objective.best_epoch", "objective.best_step"),
    *("objective.validation_gap", "objective.generalisation_gap", "parameters", "epochs", "steps"),
    *("seconds.setup", "seconds.fit", "seconds.test", "threads", "processes"),
)
FINISHED = "finished"  # UTC time of the last change of run.json
ALWAYS = ("run", "seed", *TEXTS, *NUMBERS, "git.dirty", FINISHED, "overrides")  # the columns of every record
GROUPS = ("test.", "at_best.")  # columns of metrics


@dataclass(frozen=True)
class Recorded(Record):
    """A run from the record, without a folder.

    Args:
        logged: the run's thinned curves.
    """

    logged: Mapping[str, dict[int, float]] = field(default_factory=dict)

    def curves(self, unit: str) -> dict[str, dict[int, float]]:
        return dict(self.logged)


def recorded(
    record: Record, number: int, swept: Sequence[str], wanted: Wanted, shared: Mapping[str, Container[int]]
) -> Recorded:
    """A finished run, reduced to the content of the record.

    Args:
        number: the run's number in the record.
        swept: the keys that the study varies.
        wanted: the metrics to keep.
        shared: {metric: places that all runs of the setting keep}.
    """
    unit = unit_of([record])
    curves = record.curves(unit)
    kept = thinned(curves, wanted, unit, best_place(record, unit), shared)
    if isinstance(record, Recorded):
        return Recorded(None, record.manifest, {**record.job, "number": number}, {**record.logged, **kept})
    manifest: dict[str, Any] = {
        "seed": record.get("seed"),
        "overrides": record.job.get("overrides") or record.get("overrides"),
    }
    for name in (*TEXTS, *NUMBERS):
        put(manifest, name, record.get(*name.split(".")))
    tested = record.get("test") or {}
    manifest["test"] = {name: value for name, value in tested.items() if wanted.tested(name)}
    best = scores_of(record, unit)
    manifest["at_best"] = {
        name: best[name]
        for name in sorted(curves)
        if name in best and wanted.curve(name) and not name.startswith("test/")
    }
    manifest["git"]["dirty"] = record.get("git", "dirty")
    manifest[FINISHED] = finished(record)
    values = {key: record.value(key) or "" for key in swept}
    repeats = {key: value for key in REPEATS if key != "seed" and (value := record.value(key)) is not None}
    return Recorded(None, manifest, {"number": number, "values": {**values, **repeats}}, kept)


def finished(record: Record) -> str:
    """UTC time of the last change of a run's status."""
    if record.folder is None:
        return str(record.get(FINISHED) or "")
    changed = datetime.fromtimestamp((record.folder / "run.json").stat().st_mtime, UTC)
    return changed.strftime("%Y-%m-%dT%H:%M:%SZ")


def put(content: dict[str, Any], name: str, value: Any) -> None:
    """Set `objective.best` in {objective: {best: …}}."""
    first, _, rest = name.partition(".")
    if rest:
        content.setdefault(first, {})[rest] = value
    else:
        content[first] = value


# ---------------------------------------------------------------------- writing


def runs_csv(records: Sequence[Recorded], swept: Sequence[str]) -> str:
    """A row for each run: values of the swept keys, seed, fold and draw, and results."""
    metrics = [f"{group}{name}" for group in GROUPS for name in sorted(names_in(records, group.rstrip(".")))]
    repeats = [key for key in REPEATS if any(repeat_of(record, key) for record in records)]
    columns = ["run", *swept, *repeats, *TEXTS, *NUMBERS, *metrics, "git.dirty", FINISHED, "overrides"]
    rows = [columns]
    for record in records:
        texts = [told(record.get(*name.split("."))) for name in (*TEXTS, *NUMBERS)]
        measured = [told(record.get(*name.split(".", 1))) for name in metrics]
        known = [record.job["values"].get(key, "") for key in swept] + [repeat_of(record, key) for key in repeats]
        typed = json.dumps(record.get("overrides"), ensure_ascii=False)
        rows.append(
            [
                str(record.job["number"]),
                *known,
                *texts,
                *measured,
                told(record.get("git", "dirty")),
                told(record.get(FINISHED)),
                typed,
            ]
        )
    return as_csv(rows)


def curves_csv(records: Sequence[Recorded]) -> str:
    """A row for each run and place: an epoch or step, as the run counts, from 0 as in metrics.csv."""
    names = sorted({name for record in records for name in record.logged})
    rows = [["run", "place", *names]]
    for record in records:
        for place in sorted({place for curve in record.logged.values() for place in curve}):
            values = [record.logged.get(name, {}).get(place) for name in names]
            rows.append(
                [str(record.job["number"]), str(place), *("" if v is None else f"{v:.{CURVE_DIGITS}g}" for v in values)]
            )
    return as_csv(rows)


def names_in(records: Sequence[Record], group: str) -> set[str]:
    return {name for record in records for name in record.get(group) or {}}


def repeat_of(record: Record, key: str) -> str:
    return told(record.get("seed")) if key == "seed" else str(record.job.get("values", {}).get(key, ""))


def told(value: Any) -> str:
    """The text of a cell: "" for None, DIGITS digits of a float."""
    if isinstance(value, float):
        return f"{value:z.{DIGITS}g}"  # z: no -0, which would be read as an int
    return "" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


def as_csv(rows: Sequence[Sequence[str]]) -> str:
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue()


# ---------------------------------------------------------------------- reading


def read_record(folder: Path) -> list[Recorded]:
    """The runs of a study's record; empty if there is none.

    Raises:
        InputError: if a file is not in the format of `runs_csv` and `curves_csv`.
    """
    if not (folder / RUNS).is_file():
        return []
    try:
        with (folder / RUNS).open(newline="", encoding="utf-8") as file:
            columns, *rows = list(csv.reader(file))
        if missing := [name for name in ALWAYS if name not in columns]:
            raise ValueError(f"{RUNS} lacks {', '.join(missing)}")
        curves = read_curves(folder / CURVES)
        swept = columns[1 : columns.index("seed")]
        return [read_row(columns, row, swept, curves.get(row[0], {})) for row in rows]
    except (OSError, ValueError, IndexError, csv.Error) as error:
        raise InputError(f"{folder}: {RUNS} and {CURVES} cannot be read: {error}") from error


def read_row(columns: Sequence[str], row: Sequence[str], swept: Sequence[str], curves: Any) -> Recorded:
    cells = dict(zip(columns[1 + len(swept) :], row[1 + len(swept) :], strict=True))
    values = dict(zip(swept, row[1 : 1 + len(swept)], strict=True))
    values |= {key: cells[key] for key in REPEATS if key != "seed" and cells.get(key)}
    manifest: dict[str, Any] = {"overrides": json.loads(cells["overrides"]), FINISHED: cells[FINISHED]}
    manifest["seed"] = int(cells["seed"]) if cells["seed"] else None
    for name in TEXTS:
        put(manifest, name, cells[name] or None)
    for name in NUMBERS:
        put(manifest, name, number(cells[name]))
    for group in GROUPS:
        known = {
            name.removeprefix(group): number(cells[name]) for name in cells if name.startswith(group) and cells[name]
        }
        manifest[group.rstrip(".")] = known
    manifest["git"]["dirty"] = cells["git.dirty"] == "true" if cells["git.dirty"] else None
    return Recorded(
        None, manifest, {"number": int(row[0]), "values": values, "overrides": manifest["overrides"]}, curves
    )


def number(text: str) -> float | int | None:
    """The number of a cell, an int if it was written as an int."""
    if not text:
        return None
    value = float(text)
    return int(value) if math.isfinite(value) and value.is_integer() and "e" not in text and "." not in text else value


def read_curves(file: Path) -> dict[str, dict[str, dict[int, float]]]:
    """{run: {metric: {place: value}}}."""
    found: dict[str, dict[str, dict[int, float]]] = {}
    with file.open(newline="", encoding="utf-8") as lines:
        columns, *rows = list(csv.reader(lines))
    for run, place, *values in rows:
        curves = found.setdefault(run, {})
        for name, value in zip(columns[2:], values, strict=True):
            if value:
                curves.setdefault(name, {})[int(place)] = float(value)
    return found


def read_figures(folder: Path) -> list[tuple[str, str]]:
    """(file, caption) of each figure in a study's record.

    Raises:
        InputError: if the file has other columns.
    """
    if not (folder / FIGURES).is_file():
        return []
    with (folder / FIGURES).open(newline="", encoding="utf-8") as lines:
        columns, *rows = list(csv.reader(lines)) or [[]]
    if columns != ["file", "caption"] or any(len(row) != 2 for row in rows):
        raise InputError(f"{folder / FIGURES} cannot be read: its columns are not file and caption")
    return [(file, caption) for file, caption in rows]
