"""Connects a trial's run to its search: it reports the objective and asks Optuna's pruner whether to stop.

The search is stored in an Optuna journal in the sweep's folder. Processes on several machines may append to it, under
the lock file beside it; Optuna removes the lock of a killed process after half a minute.
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
STUDY = "search"  # name of the journal's only Optuna study

optuna.logging.set_verbosity(optuna.logging.WARNING)
warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)  # the user chose the experimental sampler


class Judge:
    """Asks the search's pruner, which compares the values that all trials reported, whether to end a trial early.

    Args:
        folder: the sweep's folder.
        trial: the trial's number.
        build: builds the pruner from its node in sweep.json, None without one.
    """

    def __init__(self, folder: Path, trial: int, build: Callable[[Any], BasePruner | None]) -> None:
        self.folder, self.trial, self.build = folder, trial, build

    def hopeless(self, step: int, value: float) -> bool:
        """Report the objective's value at the pruner's step `step`; return whether the trial should end.

        A resumed run does not report a step again. If the trial has ended in the journal, or the journal is lost, the
        run goes on.
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
            warnings.simplefilter("ignore", RuntimeWarning)  # NumPy's, for a trial that has reported only NaN
            return self.study.pruner.prune(self.study, self.storage.get_trial(trial))

    @cached_property
    def storage(self) -> JournalStorage:
        return open_journal(self.folder)

    @cached_property
    def study(self) -> optuna.Study:
        node = json.loads((self.folder / "sweep.json").read_text(encoding="utf-8"))["search"]["pruner"]
        pruner = self.build(node) or NopPruner()  # pruner=null when it goes on; Optuna's default is the median
        return optuna.load_study(study_name=STUDY, storage=self.storage, pruner=pruner)


def open_journal(folder: Path) -> JournalStorage:
    return JournalStorage(JournalFileBackend(str(folder / JOURNAL)))


def id_of(storage: JournalStorage, trial: int) -> int:
    """The storage's identifier of the trial with number `trial`."""
    return storage.get_trial_id_from_study_id_trial_number(storage.get_study_id_from_name(STUDY), trial)


def mend(folder: Path) -> None:
    """Cut off an unfinished last line of the journal, which a killed process left; the next line would join it."""
    path = folder / JOURNAL
    if not path.exists():
        return
    lock = JournalFileSymlinkLock(str(path))
    lock.acquire()  # jobs of the search may still append
    try:
        os.truncate(path, path.read_bytes().rfind(b"\n") + 1)
    finally:
        lock.release()
