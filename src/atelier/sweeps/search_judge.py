"""A trial's own view of its search, from the process of its job: it reports values and hears whether to go on."""

import json
import warnings
from pathlib import Path
from typing import Any

import optuna
from optuna.storages import JournalStorage

from atelier.sweeps.search_journal import JOURNAL, STUDY, open_journal
from atelier.sweeps.search_methods import Options, make_pruner


class Judge:
    """Decides by the search's pruner, from what all trials have reported, whether one of them has no hope.

    Args:
        folder: the sweep's folder.
        trial: the trial's number.
    """

    def __init__(self, folder: Path, trial: int) -> None:
        self.folder, self.trial = folder, trial
        self.known: tuple[optuna.Study, JournalStorage, int] | None = None

    def hopeless(self, step: int, value: float) -> bool:
        """Report the objective's value after `step` steps of the pruner, and hear whether the trial should end.

        A step that was reported before, by a run that was stopped and resumed, is not reported again. A trial whose
        search is over, or has lost its journal, is told to go on.
        """
        if not (self.folder / JOURNAL).exists():
            return False
        study, storage, trial = self.open()
        frozen = storage.get_trial(trial)
        if frozen.state.is_finished():
            return False
        if step not in frozen.intermediate_values:
            storage.set_trial_intermediate_value(trial, step, value)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # numpy's, of a trial that has reported no number so far
            return study.pruner.prune(study, storage.get_trial(trial))

    def open(self) -> tuple[optuna.Study, JournalStorage, int]:
        """The study, its storage and the trial's id in that; read once."""
        if self.known is None:
            storage = open_journal(self.folder)
            study = optuna.load_study(study_name=STUDY, storage=storage, pruner=make_pruner(options(self.folder)))
            number = storage.get_trial_id_from_study_id_trial_number(storage.get_study_id_from_name(STUDY), self.trial)
            self.known = study, storage, number
        return self.known


def options(folder: Path) -> Options:
    """How the search in a sweep's folder goes about it."""
    content: dict[str, Any] = json.loads((folder / "sweep.json").read_text(encoding="utf-8"))
    return Options(**content["search"])
