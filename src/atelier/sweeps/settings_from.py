"""The second stage of a study: its jobs use the best setting of an earlier sweep."""

from collections.abc import Sequence
from pathlib import Path

from atelier.errors import InputError
from atelier.runs.overrides import key_of, value_of
from atelier.sweeps.aggregate import Results, Setting, aggregate
from atelier.sweeps.grid import Grid, meaning
from atelier.sweeps.records import OF_RUNS, Record


def with_settings_from(folder: Path, grid: Grid) -> Grid:
    """Add the best setting of an earlier sweep to each job of `grid`.

    Keys of the earlier sweep that a job sets itself select among the earlier settings; the job takes its other values
    from the best of the selected settings. The best setting has the best mean of the objective over seeds, folds and
    draws; settings with a run without a value are left out.

    Args:
        folder: the earlier sweep's folder, or a folder of several sweeps.

    Raises:
        InputError: if there are no runs, or no complete setting with the job's values.
    """
    results = aggregate([folder])
    return Grid([job + best_for(job, results, folder) for job in grid.jobs])


def best_for(job: Sequence[str], results: Results, folder: Path) -> list[str]:
    """The overrides that a job takes from the best matching setting."""
    own = {key_of(override): value_of(override) for override in job}
    typed = {key for record in results.records for key in record.typed} - {"study"}  # a job is of its own study
    keys = [key for key in results.keys if key not in OF_RUNS or key in typed]
    shared = {key: own[key] for key in keys if key in own}
    for setting in results.settings:  # the best first
        if setting.complete and all(meaning(setting.values[key]) == meaning(shared[key]) for key in shared):
            return [one for key in keys if key not in own for one in taken(key, setting, results.records)]
    wanted = " ".join(f"{key}={value}" for key, value in shared.items())
    raise InputError(f"sweep.settings_from={folder}: no setting there is complete" + f" with {wanted}" * bool(wanted))


def taken(key: str, setting: Setting, records: Sequence[Record]) -> list[str]:
    """The override of a key as a setting's run typed it, else its value or null; [] if only other `records` have it."""
    typed = next((record.typed[key] for record in setting.records if key in record.typed), None)
    if typed or setting.values[key] is not None:
        return [typed or f"{key}={setting.values[key]}"]
    added = any(record.typed.get(key, "").startswith("+") for record in records)
    return [] if added or "." not in key else [f"{key}=null"]
