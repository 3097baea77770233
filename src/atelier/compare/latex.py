"""Writes the settings as a LaTeX table, ready for `\\input` in a document with `\\usepackage{booktabs}`."""

import math
import re
from collections.abc import Iterator, Sequence
from itertools import product

from atelier.errors import InputError
from atelier.figures.words import better_than, in_order, key_titles, metric_words, number
from atelier.runs.statistic import Statistic
from atelier.sweeps.aggregate import Results, Setting

SPECIAL = {
    **{character: f"\\{character}" for character in "&%$#_{}"},
    **{"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "<": r"\textless{}"},
    **{"[": "{[}", "*": "{*}"},  # a row that began with one would lend it to the command before
    **{">": r"\textgreater{}", "−": "$-$", "–": "--", "≈": r"$\approx$", "±": r"$\pm$", "×": r"$\times$"},
}


def latex(
    results: Results, rows: str | Sequence[str] = (), columns: str | Sequence[str] = (), metric: str | None = None
) -> str:
    """The table of settings, or, with `rows` or `columns`, of one metric over swept keys, as a report prints it.

    The best mean of a metric is bold, and each that equals it, before settings that lost a run; the deviation over
    seeds is small. A comment says n and the metric.

    Args:
        rows, columns: swept keys whose values are the rows and the columns.
        metric: the metric of a table over keys; None: the first test metric, else the objective.

    Raises:
        InputError: if a key does not vary, a key that varies is in neither list, settings differ in no key, or no run
            has the metric.
    """
    if rows or columns:
        return over_keys(results, as_list(rows), as_list(columns), metric)
    metrics = measured_in(results) if metric is None else [known_metric(results, metric)]
    marked = {name: best(results, name, results.settings) for name in metrics}
    heads = [*(key_titles(results.keys).values() or ["experiment"]), *map(metric_words, metrics), "n"]
    body = []
    for setting in results.settings:
        values = [setting.values[key] for key in results.keys] or [setting.records[0].get("experiment")]
        runs = len(setting.completed)
        measured = [cell(score(results, setting, name), setting in marked[name], runs) for name in metrics]
        body.append([*(escape(str(value or "--")) for value in values), *measured, str(runs)])
    aligned = "l" * len(results.keys or [""]) + "r" * (len(metrics) + 1)
    return tabular(aligned, [[escape(head) for head in heads]], body, f"{len(results.records)} runs")


def over_keys(results: Results, rows: list[str], columns: list[str], metric: str | None) -> str:
    chosen = [*rows, *columns]
    for key in chosen:
        if key not in results.keys:
            raise InputError(f"rows, columns: {key} does not vary; choose from: {', '.join(results.keys)}")
    if left := [key for key in results.keys if key not in chosen]:
        raise InputError(f"rows={rows} columns={columns}: {', '.join(left)} varies, too; add it to one")
    name = known_metric(results, metric or (f"test/{results.tests[0]}" if results.tests else str(results.metric)))
    down, across = combined(results, rows), combined(results, columns)
    place = {(texts(setting, rows), texts(setting, columns)): setting for setting in results.settings}
    if len(place) < len(results.settings):
        raise InputError(
            f"rows={rows} columns={columns}: several settings have equal values; leave both out to see each"
        )
    marked = best(results, name, results.settings)
    body = []
    for values in down:
        found = [place.get((values, others)) for others in across]
        cells = [cell(score(results, one, name), one in marked) if one else "--" for one in found]
        body.append([*map(escape, values), *cells])
    titles = key_titles(results.keys)
    heads = [[escape(titles[key]) for key in rows] + [escape(metric_words(name))] * (not columns)]
    if columns:
        first = rf"\multicolumn{{{len(across)}}}{{c}}{{{escape(' / '.join(titles[key] for key in columns))}}}"
        heads = [[""] * len(rows) + [first], [*heads[0], *(escape(" / ".join(values)) for values in across)]]
    counts = sorted({score(results, one, name).n for one in results.settings} - {0}) or [0]
    told = f"{metric_words(name)}, n = {' to '.join(map(str, dict.fromkeys((counts[0], counts[-1]))))}"
    return tabular("l" * len(rows) + "r" * max(len(across), 1), heads, body, told)


def as_list(keys: str | Sequence[str]) -> list[str]:
    return [keys] if isinstance(keys, str) and keys else list(keys)


def tabular(aligned: str, heads: Sequence[Sequence[str]], body: Sequence[Sequence[str]], told: str) -> str:
    def lines() -> Iterator[str]:
        yield f"% {' '.join(told.split())}. Needs \\usepackage{{booktabs}}."
        yield rf"\begin{{tabular}}{{{aligned}}}"
        yield r"\toprule"
        yield from (rf"{' & '.join(head)} \\" for head in heads)
        yield r"\midrule"
        yield from (rf"{' & '.join(row)} \\" for row in body)
        yield r"\bottomrule"
        yield r"\end{tabular}"

    return "\n".join(lines()) + "\n"


def combined(results: Results, keys: Sequence[str]) -> list[tuple[str, ...]]:
    """The values of some keys together that settings have: numbers by size, others in the order of the sweep."""
    listed = sorted(results.settings, key=lambda one: min(record.job.get("number", 0) for record in one.records))
    there = {texts(setting, keys) for setting in listed}
    return [one for one in product(*(in_order(texts(s, [key])[0] for s in listed) for key in keys)) if one in there]


def texts(setting: Setting, keys: Sequence[str]) -> tuple[str, ...]:
    return tuple(setting.values[key] or "not set" for key in keys)


def measured_in(results: Results) -> list[str]:
    """The objective and the test metrics."""
    return [*filter(None, [results.metric]), *(f"test/{name}" for name in results.tests)]


def known_metric(results: Results, metric: str) -> str:
    """
    Raises:
        InputError: if no setting has the metric.
    """
    known = measured_in(results)
    if metric not in known:
        raise InputError(f"metric={metric}: no run has it; choose from: {', '.join(known) or 'nothing yet'}")
    return metric


def score(results: Results, setting: Setting, metric: str) -> Statistic:
    if metric == results.metric:
        return setting.objective
    return setting.test.get(metric.removeprefix("test/"), Statistic.of(()))


def best(results: Results, metric: str, settings: Sequence[Setting]) -> list[Setting]:
    """The settings with the best mean, of those of which all runs have a value, if there are any.

    Empty if it is not known whether the metric is better large or small.
    """
    mode = better_than(metric, results.metric or "", results.mode)
    sign = -1 if mode == "max" else 1
    found = [(score(results, one, metric), one) for one in settings]
    known = [((part.n < len(one.records), sign * part.mean), one) for part, one in found if part.mean is not None]
    first = min((rank for rank, _ in known), default=None)
    return [one for rank, one in known if mode is not None and rank == first]


def cell(found: Statistic, bold: bool, runs: int | None = None) -> str:
    """A mean with its deviation, and, where not all of so many runs have a value, the number of those that have."""
    if found.mean is None:
        return "--"
    mean, _, deviation = number(found.mean, found.std).replace("-", "−").partition(" ± ")
    shown = escape(mean) if math.isfinite(found.mean) else "--"
    shown = rf"\textbf{{{shown}}}" if bold else shown
    small = [rf"$\pm$ {escape(deviation)}"] * bool(deviation) + [f"n = {found.n}"] * (found.n != (runs or found.n))
    return rf"{shown} {{\scriptsize {', '.join(small)}}}" if small else shown


def escape(words: str) -> str:
    r"""
    >>> escape("50 % of a_b")
    '50 \\% of a\\_b'
    """
    return re.sub("|".join(map(re.escape, SPECIAL)), lambda found: SPECIAL[found[0]], words)
