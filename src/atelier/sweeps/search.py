"""A search over settings: each job of the sweep is a trial of an Optuna study."""

import math
import shlex
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
import optuna
from annotated_types import Ge
from optuna.pruners import BasePruner
from optuna.samplers import BaseSampler, RandomSampler
from optuna.trial import FrozenTrial, TrialState

from atelier.compose.targets import make
from atelier.errors import InputError
from atelier.project import command
from atelier.runs.judge import STUDY, id_of, mend, open_journal
from atelier.sweeps.preflight import Check
from atelier.sweeps.search_space import Space
from atelier.sweeps.sweep import Job, Sweep

STATES = {TrialState.COMPLETE: "completed", TrialState.PRUNED: "pruned", TrialState.FAIL: "failed"}


@dataclass(frozen=True)
class Options:
    """The keys of hydra/sweeper=optuna, as sweep.json holds them: sampler and pruner are nodes with a `_target_`."""

    trials: Annotated[int, Ge(1)]
    seed: Annotated[int, Ge(0)]
    sampler: dict[str, Any]
    pruner: dict[str, Any] | None

    def make_sampler(self, trial: int) -> BaseSampler:
        """The sampler for the trial with number `trial`.

        Its random numbers depend only on the seed and the trial's number, so that a resumed search draws the same
        values as an uninterrupted one.
        """
        seed = int(np.random.SeedSequence([self.seed, trial]).generate_state(1)[0])
        own: dict[str, Any] = {"seed": seed}
        if self.sampler["_target_"].endswith("QMCSampler"):  # the seed fixes the sequence of all trials
            own = {"seed": self.seed, "independent_sampler": RandomSampler(seed)}
        return make("hydra.sweeper.sampler", {**self.sampler, **own})

    def make_pruner(self) -> BasePruner | None:
        return make("hydra.sweeper.pruner", self.pruner)


class Search:
    """Draws a job whenever the launcher has a free place, and tells Optuna the job's result.

    A job has the number of its trial. The search can be resumed after a kill between any two lines of this file, from
    the journal and sweep.json.

    Args:
        sweep: the sweep, locked by this process; its sweep.json holds the space and the options.
        check: the preflight of one job.
    """

    def __init__(self, sweep: Sweep, check: Check) -> None:
        self.sweep, self.check, about = sweep, check, sweep.manifest
        self.options = Options(**sweep.search)
        self.space = Space(about["command"], about["presentation"], about["budget"])
        mend(sweep.path)
        self.storage = open_journal(sweep.path)
        self.study = optuna.create_study(
            storage=self.storage,
            study_name=STUDY,
            direction="maximize" if about["objective"]["mode"] == "max" else "minimize",
            pruner=self.options.make_pruner(),
            load_if_exists=True,
        )

        if lost := {job.number for job in sweep.jobs} - {trial.number for trial in self.trials()}:
            told = f"search.journal is gone, or does not know trial {min(lost)} of sweep.json"
            raise InputError(f"{sweep.path}: {told}; begin a new search, without sweep.resume")

    # ------------------------------------------------------------------ called by the launcher

    def jobs(self) -> Iterator[Job]:
        """The unfinished jobs of an earlier process, then new trials until there are `trials` of them."""
        yield from self.left_over()
        while (number := self.next_number()) < self.options.trials:
            self.study.sampler = self.options.make_sampler(number)
            if (job := self.begin(self.study.ask(self.space.distributions))) is not None:
                yield job

    def done(self, job: Job, status: str) -> None:
        """Tell Optuna the result of a completed or failed job."""
        if status in ("completed", "failed"):
            state, value = outcome(self.sweep.record(job))
            self.study.tell(job.number, value, state, skip_if_finished=True)

    def begin(self, trial: optuna.Trial) -> Job | None:
        """The job of a trial; None if its setting was trained before, or cannot run."""
        overrides = self.space.job(trial.params)
        alike = (job for job in self.sweep.jobs if job.overrides == overrides)
        if (earlier := next((job for job in alike if self.sweep.status(job) == "completed"), None)) is not None:
            state, value = outcome(self.sweep.record(earlier))
            self.study.tell(trial.number, value, state)
            print(f"trial {trial.number} has the setting of job {earlier.number}, so it is not trained", flush=True)
            return None
        facts = self.check(overrides)
        problem, known = facts.pop("problem", None), facts.pop("values", {})
        values = {key: value or known.get(key, "") for key, value in self.space.values(overrides).items()}
        job = Job(trial.number, overrides, values, {**facts, "trial": trial.number})
        self.sweep.add(job)
        if problem is not None:
            self.sweep.prepare(job)
            self.sweep.fail(job, "InputError", problem)
            self.done(job, "failed")
            print(f"job {job.number} failed: {job.name}: {problem}", flush=True)
            return None
        return job

    def left_over(self) -> Iterator[Job]:
        """The jobs to resume; also tells Optuna the results of ended jobs, and queues trials without a job again."""
        jobs = {job.number: job for job in self.sweep.jobs}
        for trial in self.trials(TrialState.RUNNING):
            if (job := jobs.get(trial.number)) is None:
                self.storage.set_trial_state_values(id_of(self.storage, trial.number), TrialState.WAITING)
            elif (status := self.sweep.status(job)) in ("completed", "failed"):
                self.done(job, status)
            else:
                yield job

    def next_number(self) -> int:
        return min([trial.number for trial in self.trials(TrialState.WAITING)], default=len(self.trials()))

    # ------------------------------------------------------------------ status

    def trials(self, *states: TrialState) -> list[FrozenTrial]:
        """The trials in these states; without arguments, all trials."""
        return self.study.get_trials(deepcopy=False, states=states or None)

    def counts(self) -> Counter[str]:
        """The numbers of trials that are completed, pruned, failed, and unfinished."""
        return Counter(STATES.get(trial.state, "unfinished") for trial in self.trials())

    def best(self) -> Job | None:
        """The job of the best completed trial."""
        if not self.counts()["completed"]:
            return None
        number = self.study.best_trial.number
        return next(job for job in self.sweep.jobs if job.number == number)

    def conclude(self) -> str:
        """Record the sweep's status: completed if all trials have ended and at least one has a value."""
        counts = self.counts()
        left = counts["unfinished"] or counts.total() < self.options.trials
        status = "interrupted" if left else "completed" if counts["completed"] else "failed"
        self.sweep.manifest.update(status=status)
        return status

    def result(self) -> list[str]:
        """The lines printed at the end: numbers of trials, trials without a value, the best, and how to train it."""
        counts, metric = self.counts(), self.sweep.manifest["objective"]["metric"]
        told = ", ".join(f"{counts[state]} {state}" for state in (*STATES.values(), "unfinished") if counts[state])
        missing = f" of {self.options.trials}" if counts.total() < self.options.trials else ""
        lines = [f"{counts.total()}{missing} trials: {told or 'none begun'}"]
        failed = {trial.number for trial in self.trials(TrialState.FAIL)}
        for job in self.sweep.jobs:
            if job.number in failed and self.sweep.status(job) == "completed":
                lines.append(f"trial {job.number}, {job.name}: {metric} was never a finite number")
        if best := self.best():
            record, at = self.sweep.record(best), ""
            if found := record.get("objective"):  # else somebody has deleted its folder
                by_steps = record.get("counts") == "steps"
                at = f" at step {found['best_step']}" if by_steps else f" at epoch {found['best_epoch'] + 1}"
            lines.append(f"The best is trial {best.number}: {metric} {self.study.best_value:.6g}{at} with {best.name}")
            lines.append(f"Train that setting again: {command('train')} {shlex.join(best.overrides)}")
        return lines


def outcome(record: dict[str, Any]) -> tuple[TrialState, float | None]:
    """State and value of a run's trial: the best value of the objective; a run without a finite value has failed."""
    if record.get("status") == "completed":
        if record.get("pruned"):
            return TrialState.PRUNED, None
        best = record["objective"]["best"]
        if best is not None and math.isfinite(best):
            return TrialState.COMPLETE, best
    return TrialState.FAIL, None
