"""A run's own view of the search that it is a trial of: it reports values and hears whether to go on.

The search lies in a file of the sweep's folder: what was drawn, reported and told, line after line. Several processes,
on several machines, may write to it; a lock beside it keeps them apart. Optuna breaks the lock of a process that was
killed after half a minute.
"""

import json
import os
import warnings
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import Any

import optuna
from optuna.pruners import BasePruner, NopPruner
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend, JournalFileSymlinkLock

JOURNAL = "search.journal"
STUDY = "search"  # name of the one study in it

optuna.logging.set_verbosity(optuna.logging.WARNING)
warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)  # whoever chose such a sampler wants it


class Judge:
    """Decides by the search's pruner, from what all trials have reported, whether one of them has no hope.

    Args:
        folder: the sweep's folder.
        trial: the trial's number.
        build: makes the pruner from its node in sweep.json.
    """

    def __init__(self, folder: Path, trial: int, build: Callable[[Any], BasePruner]) -> None:
        self.folder, self.trial, self.build = folder, trial, build

    def hopeless(self, step: int, value: float) -> bool:
        """Report the objective's value after `step` steps of the pruner, and hear whether the trial should end.

        A step that was reported before, by a run that was stopped and resumed, is not reported again. A trial whose
        search is over, or has lost its journal, is told to go on.
        """
        if not (self.folder / JOURNAL).exists():
            return False
        trial = id_of(self.storage, self.trial)
        frozen = self.storage.get_trial(trial)
        if frozen.state.is_finished():
            return False
        if step not in frozen.intermediate_values:
            self.storage.set_trial_intermediate_value(trial, step, value)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # numpy's, of a trial that has reported no number so far
            return self.study.pruner.prune(self.study, self.storage.get_trial(trial))

    @cached_property
    def storage(self) -> JournalStorage:
        return open_journal(self.folder)

    @cached_property
    def study(self) -> optuna.Study:
        node = json.loads((self.folder / "sweep.json").read_text(encoding="utf-8"))["search"]["pruner"]
        pruner = self.build(node) if isinstance(node, dict) else NopPruner()  # a name: that of an earlier version
        return optuna.load_study(study_name=STUDY, storage=self.storage, pruner=pruner)


def open_journal(folder: Path) -> JournalStorage:
    return JournalStorage(JournalFileBackend(str(folder / JOURNAL)))


def id_of(storage: JournalStorage, trial: int) -> int:
    """What the storage calls the trial of that number."""
    return storage.get_trial_id_from_study_id_trial_number(storage.get_study_id_from_name(STUDY), trial)


def mend(folder: Path) -> None:
    """Cut off a last line that a killed process left unfinished: what is appended to it could not be read."""
    path = folder / JOURNAL
    if not path.exists():
        return
    lock = JournalFileSymlinkLock(str(path))
    lock.acquire()  # jobs of the search may still be running elsewhere
    try:
        os.truncate(path, path.read_bytes().rfind(b"\n") + 1)
    finally:
        lock.release()
