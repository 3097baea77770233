"""The table of runs: what each was, and what came out."""

import json
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from atelier.api.frame import frame
from atelier.api.project import conf_folder, logs_folder
from atelier.compose.explain import options
from atelier.errors import InputError, nearest_first, not_among
from atelier.runs.folder import read_yaml
from atelier.runs.setting import leaves
from atelier.sweeps.aggregate import recorded, typed
from atelier.sweeps.grid import meaning
from atelier.sweeps.records import Record, inside, read_run
from atelier.sweeps.sweep import Sweep

ALWAYS = ("folder", "experiment", "status", "seed", "objective", "best", "seconds")  # columns of every table
NEAREST = 8  # keys that a message names


def runs(experiment: str | None = None, where: Mapping[str, Any] | None = None) -> Any:
    """The table of all runs in the folder of runs (`LOG_DIR`), also of those of sweeps, the latest first.

    Columns: `folder`, `experiment`, `status` (running, completed, pruned, failed, interrupted), `seed`; the keys that
    any of the runs sets; `objective` (a metric) and its `best` value; the test metrics; `seconds` of training.

    Args:
        experiment: only runs of this experiment; of runs without one, the name is "default".
        where: {dotted key of the configuration or of run.json: wanted value, or function of the value}; only runs for
            which all of them hold. A function is not asked about runs that have no such value.

    Returns:
        A pandas frame; without pandas, a list of dictionaries.

    Raises:
        InputError: for an experiment that neither a run nor conf/ has, and for a key that no run has.
    """
    logs = logs_folder()
    found = sorted(records_in(logs), key=last_change, reverse=True) if logs.is_dir() else []
    if experiment is not None:
        names = {str(record.get("experiment")) for record in found} | {*options("experiment", conf_folder()), "default"}
        if experiment not in names:
            raise InputError(f"experiment={experiment}: {not_among(experiment, sorted(names))}")
        found = [record for record in found if record.get("experiment") == experiment]
    for key, wanted in (where or {}).items():
        check_known(key, found)
        found = [record for record in found if matches(value(record, key), wanted)]
    return table(found)


def table(records: Iterable[Record]) -> Any:
    """The table with a row for each record, see `runs`."""
    records = list(records)
    keys = dict.fromkeys(key for record in records for key in typed(record) if key != "experiment")
    return frame([row(record, list(keys)) for record in records], ALWAYS)


def row(record: Record, keys: Iterable[str]) -> dict[str, Any]:
    tested = (record.get("test") or {}).items()
    return {
        "folder": None if record.folder is None else str(record.folder),
        "experiment": record.get("experiment"),
        "status": record.status,
        "seed": record.get("seed"),
        **{key: setting_value(record, key) for key in keys},
        "objective": record.get("objective", "metric"),
        "best": record.get("objective", "best"),
        **{f"test/{name}": measured for name, measured in tested if "/" not in name},  # not of single classes
        "seconds": record.get("seconds", "fit"),
    }


def records_in(folder: Path) -> Iterator[Record]:
    """The records of all runs in a folder, and of the jobs of the sweeps in it; or of a sweep's own jobs."""
    for place in recorded(folder):
        if not (place / "sweep.json").is_file():
            yield read_run(place)
            continue
        try:
            yield from Sweep.read(place).records()
        except InputError:  # a damaged sweep.json: the runs are there all the same
            yield from (read_run(file.parent) for file in sorted(place.glob("*/run.json")))


def last_change(record: Record) -> float:
    file = None if record.folder is None else record.folder / "run.json"
    return file.stat().st_mtime if file and file.exists() else 0.0


def value(record: Record, key: str) -> Any:
    """The value of a dotted key in the overrides, in run.json or in config.yaml; None if there is none."""
    if key == "status":
        return record.status
    known = None if key in record.overrides else record.get(*key.split("."))
    return setting_value(record, key) if known is None else known


def setting_value(record: Record, key: str) -> Any:
    """The value of a dotted key of the configuration; the option of a group is known only where it was typed."""
    if key in record.overrides:
        return meant(record.overrides[key])
    try:
        found = inside(record.config(key.partition(".")[0]), key.split("."))
    except InputError:  # a damaged config.yaml
        return None
    return None if isinstance(found, dict) else found


@cache  # Hydra's parser is slow
def meant(text: str) -> Any:
    return json.loads(meaning(text))


def matches(found: Any, wanted: Any) -> bool:
    if callable(wanted):
        return found is not None and bool(wanted(found))
    return bool(found == (list(wanted) if isinstance(wanted, tuple) else wanted))


def check_known(key: str, records: list[Record]) -> None:
    """
    Raises:
        InputError: if there are records, and none of them has the dotted `key`.
    """
    if not records or any(value(record, key) is not None for record in records):
        return
    keys = dict.fromkeys(known for record in records for known in keys_of(record))
    if key not in keys:
        nearest = ", ".join(nearest_first(key, keys)[:NEAREST])
        raise InputError(f"where={{{key!r}: …}}: no run has such a key; the nearest are: {nearest}")


def keys_of(record: Record) -> list[str]:
    """The dotted keys of a run's run.json and configuration."""
    file = record.folder / "config.yaml" if record.folder else None
    config = read_yaml(file) if file and file.is_file() else {}
    return [key for content in (record.manifest, config) for key, _ in leaves(content)]
