"""Builds the table of settings for the terminal, summary.md and report.html."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from atelier.compare.difference import Comparison
from atelier.compare.scores import best_of, best_place, unit_of
from atelier.figures.words import as_number, duration, key_titles, metric_words, number, whole_number
from atelier.report.notes import caption
from atelier.runs.rows import GAPS
from atelier.runs.statistic import Statistic
from atelier.sweeps.aggregate import Results, Setting

Write = Callable[[float | None, float | None], str]  # of a mean and its deviation


@dataclass(frozen=True)
class Cell:
    """A text, and the value by which a column is sorted; None comes last."""

    text: str
    sort: float | str | None


@dataclass(frozen=True)
class Column:
    """A column of a table, with its cell in each row."""

    title: str
    cells: Sequence[Cell]
    numeric: bool = True  # whether the values are numbers
    rank: int = 0  # 0: of every table; 1: also of a terminal's where there is room; 2: of no terminal's
    sortable: bool = True  # whether the page can sort by the column


@dataclass(frozen=True)
class Table:
    columns: Sequence[Column]
    caption: str = ""

    @property
    def rows(self) -> list[tuple[Cell, ...]]:
        return list(zip(*(column.cells for column in self.columns), strict=True))

    def up_to(self, rank: int) -> "Table":
        """The table without the columns of a higher rank."""
        return Table([column for column in self.columns if column.rank <= rank], self.caption)


def settings_table(results: Results, comparison: Comparison | None = None) -> Table:
    """The table of settings, in the order of `Results`, with the differences of a comparison."""
    settings, unit = results.settings, unit_of(results.records)

    def measured(title: str, values: Iterable[Statistic | None], rank: int = 0, write: Write = whole_number) -> Column:
        cells = [statistic_cell(one, len(s.completed), write) for one, s in zip(values, settings, strict=True)]
        return Column(title, cells, rank=rank)

    columns = []
    for key, title in key_titles(results.keys).items():
        cells = [value_cell(setting.values[key]) for setting in settings]
        columns.append(Column(title, cells, numeric=not any(isinstance(cell.sort, str) for cell in cells)))
    if not results.keys:
        names = [value_cell(setting.records[0].get("experiment")) for setting in settings]
        columns.append(Column("experiment", names, numeric=False))
    if metric := results.metric:
        columns.append(measured(f"best {metric_words(metric)}", (s.objective for s in settings)))
        columns.append(measured(f"at {unit}", (best_at(s, unit, metric) for s in settings), rank=2, write=number))
    if comparison:
        cells = [Cell(str(one), one.mean) if one else Cell("–", None) for one in comparison.differences]
        columns.append(Column(comparison.title, cells))
    for gap in GAPS:
        if any(gap in setting.gaps for setting in settings):
            columns.append(measured(metric_words(gap), (s.gaps.get(gap) for s in settings), rank=2))
    for index, name in enumerate(results.tests):
        columns.append(measured(metric_words(f"test/{name}"), (s.test.get(name) for s in settings), 2 * bool(index)))
    columns += [
        Column("training time", [Cell(duration(s.seconds.mean), s.seconds.mean) for s in settings], rank=1),
        Column("parameters", [Cell(number(s.parameters.mean), s.parameters.mean) for s in settings], rank=1),
        Column("runs (n)", [Cell(runs_told(s), float(len(s.completed))) for s in settings], numeric=False),
    ]
    return Table(columns, " ".join([caption(results), *([comparison.caption()] if comparison else [])]))


def best_at(setting: Setting, unit: str, metric: str) -> Statistic:
    """The statistic of the epochs or steps, counted from 1, at which the objective, a metric, was best."""
    places = (best_place(record, unit) for record in setting.completed if best_of(record, metric) is not None)
    return Statistic.of(None if place is None else place + 1 for place in places)


def value_cell(value: str | None) -> Cell:
    if value is None:
        return Cell("–", None)
    size = as_number(value)
    return Cell(value, value if size is None else size)


def statistic_cell(one: Statistic | None, runs: int, write: Write) -> Cell:
    """`mean ± std` as `write` has it, with `n = 3` only where that is not the number of `runs`, which has a column."""
    if one is None or one.mean is None:
        return Cell("–", None)
    return Cell(write(one.mean, one.std) + f", n = {one.n}" * (one.n != runs), one.mean)


def runs_told(setting: Setting) -> str:
    """The number of completed runs, and the statuses of the others: `3`, or `incomplete: 1 of 3, 2 failed`.

    A completed run whose objective is not a number counts as `without a value`. A setting in which no run has a value
    is not marked as incomplete.
    """
    counts = setting.counts
    done = counts.pop("completed", 0)
    parts = [f"{done} of {len(setting.records)}" if counts else str(done)]
    parts += [f"{count} {status}" for status, count in sorted(counts.items())]
    if (lost := done - setting.objective.n) > 0:
        parts.append(f"{lost} without a value")
    return ("incomplete: " if setting.objective.n and not setting.complete else "") + ", ".join(parts)
