"""The second stage of a study: its jobs use the best setting of an earlier sweep."""

from collections.abc import Sequence
from pathlib import Path

from atelier.errors import InputError
from atelier.runs.overrides import key_of, value_of
from atelier.sweeps.aggregate import Setting, aggregate
from atelier.sweeps.grid import Grid, meaning


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
    settings = [one for one in results.settings if one.complete]
    return Grid([job + best_for(job, settings, results.keys, folder) for job in grid.jobs])


def best_for(job: Sequence[str], settings: Sequence[Setting], keys: Sequence[str], folder: Path) -> list[str]:
    """The overrides that a job takes from the best matching setting; `settings` are sorted, the best first."""
    own = {key_of(override): value_of(override) for override in job}
    shared = {key: own[key] for key in keys if key in own}
    for setting in settings:
        if all(meaning(setting.values[key]) == meaning(value) for key, value in shared.items()):
            return [f"{key}={setting.values[key]}" for key in keys if key not in own]
    wanted = " ".join(f"{key}={value}" for key, value in shared.items())
    raise InputError(f"sweep.settings_from={folder}: no setting there is complete" + f" with {wanted}" * bool(wanted))
