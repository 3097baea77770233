"""The second stage of a study: its jobs take the values that an earlier sweep found best."""

from collections.abc import Sequence
from pathlib import Path

from atelier.errors import InputError
from atelier.runs.overrides import key_of, value_of
from atelier.sweeps.aggregate import Setting, aggregate
from atelier.sweeps.grid import Grid, meaning


def with_settings_from(folder: Path, grid: Grid) -> Grid:
    """The jobs of `grid`, each with the best setting of an earlier sweep added to it.

    Of the keys that the earlier sweep varied, those that a job sets itself say which of the settings are meant; the
    others take the values of the best of these. Best is the mean of the objective over the seeds, folds and draws; a
    setting with a run that has no value is left out.

    Args:
        folder: the earlier sweep's folder, or one that holds several.

    Raises:
        InputError: if there are no runs, or none with a job's values.
    """
    results = aggregate([folder])
    settings = [one for one in results.settings if one.complete]
    return Grid([job + best_for(job, settings, results.keys, folder) for job in grid.jobs])


def best_for(job: Sequence[str], settings: Sequence[Setting], keys: Sequence[str], folder: Path) -> list[str]:
    """The overrides that the first of the settings, the best first, adds to a job."""
    own = {key_of(override): value_of(override) for override in job}
    shared = {key: own[key] for key in keys if key in own}
    for setting in settings:
        if all(meaning(setting.values[key]) == meaning(value) for key, value in shared.items()):
            return [f"{key}={setting.values[key]}" for key in keys if key not in own]
    wanted = " ".join(f"{key}={value}" for key, value in shared.items())
    raise InputError(f"sweep.settings_from={folder}: no setting there is complete" + f" with {wanted}" * bool(wanted))
