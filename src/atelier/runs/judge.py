"""A run's own view of the search that it is a trial of: it reports values and hears whether to go on.

The search lies in a file of the sweep's folder: what was drawn, reported and told, line after line. Several processes,
on several machines, may write to it; a lock beside it keeps them apart. Optuna breaks the lock of a process that was
killed after half a minute.
"""

import json
import os
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import optuna
from optuna.pruners import BasePruner
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend, JournalFileSymlinkLock

from atelier.errors import InputError

JOURNAL = "search.journal"
STUDY = "search"  # name of the one study in it

PRUNERS: dict[str, type[BasePruner]] = {
    "none": optuna.pruners.NopPruner,
    "median": optuna.pruners.MedianPruner,
    "percentile": optuna.pruners.PercentilePruner,
    "hyperband": optuna.pruners.HyperbandPruner,
    "successive_halving": optuna.pruners.SuccessiveHalvingPruner,
    "threshold": optuna.pruners.ThresholdPruner,
    "patient": optuna.pruners.PatientPruner,
}
GIVEN: dict[str, dict[str, Any]] = {"patient": {"wrapped_pruner": None}}  # arguments that are no plain values

optuna.logging.set_verbosity(optuna.logging.WARNING)


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
            study = optuna.load_study(study_name=STUDY, storage=storage, pruner=pruner_of(self.folder))
            number = storage.get_trial_id_from_study_id_trial_number(storage.get_study_id_from_name(STUDY), self.trial)
            self.known = study, storage, number
        return self.known


def pruner_of(sweep: Path) -> BasePruner:
    """That of the search in a sweep's folder."""
    search = json.loads((sweep / "sweep.json").read_text(encoding="utf-8"))["search"]
    return make_pruner(search["pruner"], search["pruner_options"] or {})


def make_pruner(name: str, options: Mapping[str, Any]) -> BasePruner:
    """
    Raises:
        InputError: if the pruner does not take the options.
    """
    return make("pruner", name, PRUNERS[name], GIVEN.get(name, {}), options)


def make(key: str, name: str, kind: Any, given: Mapping[str, Any], options: Mapping[str, Any]) -> Any:
    """A sampler or a pruner, with what is `given` by the project and the user's own `options`."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            return kind(**given, **options)
    except (TypeError, ValueError) as error:
        told = str(error).removeprefix(f"{kind.__name__}.__init__() ")
        raise InputError(f"hydra.sweeper.{key}={name} with {key}_options={dict(options)}: {told}") from error


def open_journal(folder: Path) -> JournalStorage:
    return JournalStorage(JournalFileBackend(str(folder / JOURNAL)))


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
