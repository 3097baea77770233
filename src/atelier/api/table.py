"""The table of runs: what each was, and what came out."""

from collections.abc import Iterable, Mapping
from typing import Any

from atelier.api.frame import frame
from atelier.api.project import conf_folder, logs_folder
from atelier.compare.listing import last_change, records_in
from atelier.compare.where import check_known, equal, matching, setting_value, value_of
from atelier.compose.explain import options
from atelier.errors import InputError, not_among
from atelier.runs.overrides import bare
from atelier.runs.setting import REPEATS
from atelier.sweeps.aggregate import typed
from atelier.sweeps.records import Record

ALWAYS = ("folder", "experiment", "status", "seed", "objective", "best", "seconds")  # columns of every table


def runs(experiment: str | None = None, where: Mapping[str, Any] | str | None = None) -> Any:
    """The table of all runs in the folder of runs (`LOG_DIR`), also of those of sweeps, the latest first.

    Columns: `folder`, `experiment`, `status` (running, completed, pruned, failed, interrupted; waiting for a job of a
    sweep that has not begun, whose `folder` is None), `seed`; the keys `set_by` any of the runs; `objective` (a
    metric) and its `best` value; the test metrics; `seconds` of training.

    Args:
        experiment: only runs of this experiment; of runs without one, the name is "default".
        where: {dotted key of the configuration or of run.json: wanted value, or function of the value}; only runs for
            which all of them hold. A list, such as `tags`, equals each of its items. A function is not asked about
            runs that have no such value. Or a condition in words, see `atelier.compare.where.Condition`.

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
    if isinstance(where, str):
        return table(matching(found, where))
    for key in where or {}:
        check_known(key, found)
    for key, wanted in (where or {}).items():
        found = [record for record in found if matches(value_of(record, key), wanted)]
    return table(found)


def table(records: Iterable[Record]) -> Any:
    """The table with a row for each record, see `runs`."""
    records = list(records)
    keys = dict.fromkeys(key for record in records for key in set_by(record) if key not in ALWAYS)
    return frame([row(record, list(keys)) for record in records], ALWAYS)


def set_by(record: Record) -> list[str]:
    """The keys that a run sets and that tell it from others: of its setting, of its sweep, and its fold and draw."""
    telling = {*typed(record), *REPEATS, *map(bare, record.job.get("values") or {})}
    return [key for key in record.overrides if key in telling]


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


def matches(found: Any, wanted: Any) -> bool:
    if callable(wanted):
        return found is not None and bool(wanted(found))
    return equal(found, list(wanted) if isinstance(wanted, tuple) else wanted)
