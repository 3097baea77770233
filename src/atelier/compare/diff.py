"""Lists in what two runs differ: their settings, what they were made with, and what came out."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from atelier.errors import InputError
from atelier.figures.words import number
from atelier.runs.folder import find, read_yaml
from atelier.runs.manifest import Manifest
from atelier.runs.setting import leaves, only_watches, within
from atelier.runs.terminal import table_console

# Keys of run.json, in the order in which they are shown; settings come before them.
MADE_WITH = (
    *("git", "versions", "data", "device", "precision", "processes", "threads"),
    *("start", "changes", "resumed"),  # the last two: a resumed run's changed settings by the step, and its machines
)
RESULTS = ("status", "pruned", "stopped_early", "objective", "test", "parameters", "epochs", "steps", "seconds")
LABELS = ("experiment", "seed", "tags", "note")
Row = tuple[str, Any, Any]


def print_diff(first: str, second: str, logs: Path) -> None:
    """Print in what the runs in two folders differ; `latest` is the newest run.

    Raises:
        InputError: if one of the folders holds no run, or its config.yaml is damaged.
    """
    from atelier.runs.changes import differences  # imports Lightning

    folders = [find(name, logs).path for name in (first, second)]
    configs: list[Mapping[str, Any]] = [read_yaml(folder / "config.yaml") for folder in folders]
    if wrong := [folder for folder, config in zip(folders, configs, strict=True) if not isinstance(config, dict)]:
        raise InputError(f"{wrong[0] / 'config.yaml'} holds no settings")
    runs = [Manifest.read(folder / "run.json").content for folder in folders]
    labels, made, results = (list(unlike(runs[0], runs[1], keys)) for keys in (LABELS, MADE_WITH, RESULTS))
    settings = [(key, *pair) for key, pair in differences(*configs).items()] + callbacks(*configs)
    known = {key for key, _, _ in labels}
    seeds = tuple(run.get("seed") for run in runs)  # a data set's own seed may follow it
    parts = {
        "": labels,
        "setting": [row for row in settings if row[0] not in known and (row[0], row[1:]) != ("data.seed", seeds)],
        "made with": made,
        "results": results,
    }
    shown = Table("", "key", *(str(folder) for folder in folders), box=SIMPLE_HEAD)
    for column in shown.columns[2:]:
        column.overflow = "fold"
    for part, rows in parts.items():
        for index, (key, *values) in enumerate(rows):
            shown.add_row(Text(part if index == 0 else ""), Text(key), *map(Text, told_apart(*values)))
    table_console().print(shown)
    if (setting := runs[0].get("config_hash")) and setting == runs[1].get("config_hash"):
        print("The two are runs of one setting.")


def callbacks(one: Mapping[str, Any], other: Mapping[str, Any]) -> list[Row]:
    """The differences between the callbacks of two configurations that count in a setting."""
    sides = [(side.get("callbacks") or {}).items() for side in (one, other)]
    flat = [dict(leaves({name: node for name, node in side if node and not only_watches(node)})) for side in sides]
    rows = [(f"callbacks.{key}", flat[0].get(key), flat[1].get(key)) for key in dict.fromkeys([*flat[0], *flat[1]])]
    return [row for row in rows if row[1] != row[2]]


def unlike(one: Mapping[str, Any], other: Mapping[str, Any], keys: tuple[str, ...]) -> Iterator[Row]:
    """The entries of two manifests, at or below the keys, that are not equal; without metrics of single classes."""
    flat = [dict(leaves(content)) for content in (one, other)]
    for wanted in keys:
        for key in dict.fromkeys(key for side in flat for key in side if within(key, wanted) and "/" not in key):
            before, after = (side.get(key) for side in flat)
            if before != after and (before == before or after == after):  # NaN is not equal to itself
                yield key, before, after


def told(value: Any) -> str:
    if isinstance(value, float):
        return number(value)
    return "–" if value is None else str(value)


def told_apart(one: Any, other: Any) -> tuple[str, str]:
    """Two different values as texts: numbers with as many digits as tell them apart.

    >>> told_apart(0.98501, 0.98502), told_apart(0.5, None)
    (('0.98501', '0.98502'), ('0.5', '–'))
    """
    short = told(one), told(other)
    return short if short[0] != short[1] else (str(one), str(other))


def check_pair(named: Any) -> tuple[str, str]:
    """
    Raises:
        InputError: if `diff` does not name two runs.
    """
    if not isinstance(named, list) or len(named) != 2:
        raise InputError(f"diff={named}: name two runs: diff=[FOLDER,FOLDER], or diff=[FOLDER,latest]")
    return str(named[0]), str(named[1])
