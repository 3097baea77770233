"""A search: the sweep's jobs are the trials of an Optuna study, each drawn by what the others gave."""

import math
import shlex
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import Annotated, Any

import numpy as np
import optuna
from annotated_types import Ge
from optuna.pruners import BasePruner
from optuna.samplers import BaseSampler, RandomSampler
from optuna.trial import FrozenTrial, TrialState

from atelier.compose.targets import make
from atelier.runs.judge import STUDY, id_of, mend, open_journal
from atelier.sweeps.preflight import Check
from atelier.sweeps.search_space import Space
from atelier.sweeps.sweep import Job, Sweep

STATES = {
    TrialState.COMPLETE: "completed",
    TrialState.PRUNED: "pruned",
    TrialState.FAIL: "failed",
    TrialState.RUNNING: "unfinished",
    TrialState.WAITING: "unfinished",
}


@dataclass(frozen=True)
class Options:
    """The keys of hydra/sweeper=optuna, as sweep.json keeps them: sampler and pruner are nodes with a `_target_`."""

    trials: Annotated[int, Ge(1)]
    seed: Annotated[int, Ge(0)]
    sampler: dict[str, Any]
    pruner: dict[str, Any] | None

    def make_sampler(self, trial: int) -> BaseSampler:
        """The sampler for the trial of that number.

        Each trial's random numbers follow from the seed and its own number alone, so that a search that was stopped and
        resumed draws what it would have drawn.
        """
        seed = int(np.random.SeedSequence([self.seed, trial]).generate_state(1)[0])
        own: dict[str, Any] = {"seed": seed}
        if self.sampler["_target_"].endswith("QMCSampler"):  # its trials are one sequence, which the seed fixes
            own = {"seed": self.seed, "independent_sampler": RandomSampler(seed)}
        return make("hydra.sweeper.sampler", {**self.sampler, **own})

    def make_pruner(self) -> BasePruner | None:
        return make("hydra.sweeper.pruner", self.pruner)


class Search:
    """Gives a launcher its jobs, one when there is a place, and hears how they end.

    A job has the number of its trial. Of all that can happen between two lines of this file, a kill included, each
    leaves the journal and sweep.json in a state from which a search of the same folder goes on.

    Args:
        sweep: the sweep's folder, claimed by this process; it says what is searched, and how.
        check: the preflight of one job.
    """

    def __init__(self, sweep: Sweep, check: Check) -> None:
        self.sweep, self.check, about = sweep, check, sweep.manifest
        self.options = Options(**{key.name: sweep.search[key.name] for key in fields(Options)})  # once there were more
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

    # ------------------------------------------------------------------ what a launcher calls

    def jobs(self) -> Iterator[Job]:
        """What an earlier process left unfinished, then new trials until there are enough."""
        yield from self.left_over()
        while (number := self.next_number()) < self.options.trials:
            self.study.sampler = self.options.make_sampler(number)
            if (job := self.begin(self.study.ask(self.space.distributions))) is not None:
                yield job

    def done(self, job: Job, status: str) -> None:
        """Tell Optuna how a job ended; of one that was interrupted there is nothing to tell yet."""
        if status in ("completed", "failed"):
            state, value = outcome(self.sweep.record(job))
            self.study.tell(job.number, value, state, skip_if_finished=True)

    def begin(self, trial: optuna.Trial) -> Job | None:
        """The job of a trial; None if that is over at once: done before, or unable to run."""
        overrides = self.space.job(trial.params)
        if (earlier := self.same(overrides)) is not None:
            state, value = outcome(self.sweep.record(earlier))
            self.study.tell(trial.number, value, state)
            print(f"trial {trial.number} has the setting of job {earlier.number}, so it is not trained", flush=True)
            return None
        facts = self.check(overrides)
        problem = facts.pop("problem", None)
        job = Job(trial.number, overrides, self.space.values(overrides), {**facts, "trial": trial.number})
        self.sweep.add(job)
        if problem is not None:
            self.sweep.prepare(job)
            self.sweep.fail(job, "InputError", problem)
            self.done(job, "failed")
            print(f"job {job.number} failed: {job.name}: {problem}", flush=True)
            return None
        return job

    def same(self, overrides: list[str]) -> Job | None:
        """A completed job of the same setting: training it again would give the same."""
        jobs = self.sweep.jobs
        return next((job for job in jobs if job.overrides == overrides and self.sweep.status(job) == "completed"), None)

    def left_over(self) -> Iterator[Job]:
        """The jobs that are to go on; what ended unheard is told, and a trial without its job waits to be asked for."""
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

    # ------------------------------------------------------------------ how it stands

    def trials(self, *states: TrialState) -> list[FrozenTrial]:
        """Those in these states; of no state all."""
        return self.study.get_trials(deepcopy=False, states=states or None)

    def counts(self) -> Counter[str]:
        """How many trials are completed, pruned, failed, or unfinished."""
        return Counter(STATES[trial.state] for trial in self.trials())

    def best(self) -> Job | None:
        """The job of the best completed trial."""
        if not self.counts()["completed"]:
            return None
        number = self.study.best_trial.number
        return next(job for job in self.sweep.jobs if job.number == number)

    def conclude(self) -> str:
        """The sweep's status: completed if all trials are over and one of them has a value, however others failed."""
        counts = self.counts()
        over = counts.total() - counts["unfinished"] >= self.options.trials
        status = "interrupted" if not over or counts["unfinished"] else "completed" if counts["completed"] else "failed"
        self.sweep.manifest.update(status=status)
        return status

    def result(self) -> list[str]:
        """How the trials ended, which had no result, which is the best, and the command that trains it again."""
        counts, metric = self.counts(), self.sweep.manifest["objective"]["metric"]
        told = ", ".join(f"{counts[state]} {state}" for state in dict.fromkeys(STATES.values()) if counts[state])
        missing = f" of {self.options.trials}" if counts.total() < self.options.trials else ""
        lines = [f"{counts.total()}{missing} trials: {told or 'none begun'}"]
        failed = {trial.number for trial in self.trials(TrialState.FAIL)}
        for job in self.sweep.jobs:
            if job.number in failed and self.sweep.status(job) == "completed":
                lines.append(f"trial {job.number}, {job.name}: {metric} was never a finite number")
        if best := self.best():
            record = self.sweep.record(best)
            found = record["objective"]
            by_steps = record.get("counts") == "steps"
            when = f"step {found['best_step']}" if by_steps else f"epoch {found['best_epoch'] + 1}"
            lines.append(f"The best is trial {best.number}: {metric} {found['best']:.6g} at {when} with {best.name}")
            lines.append(f"Train that setting again: python src/train.py {shlex.join(best.overrides)}")
        return lines


def outcome(record: dict[str, Any]) -> tuple[TrialState, float | None]:
    """What Optuna is told of a run: the objective at its best epoch; a run without a finite one has failed."""
    if record.get("status") == "completed":
        if record.get("pruned"):
            return TrialState.PRUNED, None
        best = record["objective"]["best"]
        if best is not None and math.isfinite(best):
            return TrialState.COMPLETE, best
    return TrialState.FAIL, None
