"""A search: the sweep's jobs are the trials of an Optuna study, each drawn by what the others gave."""

import math
import shlex
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import optuna
from optuna.trial import TrialState

from atelier.runs.judge import STUDY, make_pruner, mend, open_journal
from atelier.sweeps.preflight import Check
from atelier.sweeps.search_methods import Options, make_sampler
from atelier.sweeps.search_space import Space
from atelier.sweeps.sweep import Job, Sweep
from atelier.sweeps.watch import failure

STATES = {
    TrialState.COMPLETE: "completed",
    TrialState.PRUNED: "pruned",
    TrialState.FAIL: "failed",
    TrialState.RUNNING: "unfinished",
}


class Search:
    """Gives a launcher its jobs, one when there is a place, and hears how they end.

    A job has the number of its trial. Of all that can happen between two lines of this file, a kill included, each
    leaves the journal and sweep.json in a state from which a search of the same folder goes on.

    Args:
        sweep: the sweep's folder, claimed by this process.
        space: what is drawn from.
        options: how.
        check: the preflight of one job.
    """

    def __init__(self, sweep: Sweep, space: Space, options: Options, check: Check) -> None:
        self.sweep, self.space, self.options, self.check = sweep, space, options, check
        mend(sweep.path)
        self.study = optuna.create_study(
            storage=open_journal(sweep.path),
            study_name=STUDY,
            direction="maximize" if sweep.manifest["objective"]["mode"] == "max" else "minimize",
            pruner=make_pruner(options.pruner, options.pruner_options or {}),
            load_if_exists=True,
        )

    # ------------------------------------------------------------------ what a launcher calls

    def jobs(self) -> Iterator[Job]:
        """What an earlier process left unfinished, then new trials until there are enough."""
        yield from self.left_over()
        while (number := len(self.study.get_trials(deepcopy=False))) < self.options.trials:
            self.study.sampler = make_sampler(self.options, number)
            if (job := self.begin(self.study.ask())) is not None:
                yield job

    def done(self, job: Job, status: str) -> None:
        """Tell Optuna how a job ended; of one that was interrupted there is nothing to tell yet."""
        if status in ("completed", "failed"):
            state, value = outcome(self.sweep.record(job))
            self.study.tell(job.number, value, state, skip_if_finished=True)

    # ------------------------------------------------------------------ trials and jobs

    def begin(self, trial: optuna.Trial) -> Job | None:
        """The job of a trial; None if that is over at once: done before, or unable to run."""
        overrides = self.space.draw(trial)
        if (earlier := self.same(overrides)) is not None:
            trial.set_user_attr("repeats", earlier.number)
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
        found = (job for job in self.sweep.jobs if job.overrides == overrides)
        return next((job for job in found if self.sweep.status(job) == "completed"), None)

    def left_over(self) -> Iterator[Job]:
        """The jobs that are to go on; what ended unheard is told, and a trial that was drawn in part is drawn."""
        jobs = {job.number: job for job in self.sweep.jobs}
        for trial in self.study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
            self.study.sampler = make_sampler(self.options, trial.number)
            job = jobs.get(trial.number) or self.begin(optuna.Trial(self.study, trial._trial_id))
            if job is not None and self.sweep.status(job) in ("completed", "failed"):
                self.done(job, self.sweep.status(job))
            elif job is not None:
                yield job

    # ------------------------------------------------------------------ how it stands

    def counts(self) -> Counter[str]:
        """How many trials are completed, pruned, failed, or unfinished."""
        return Counter(STATES[trial.state] for trial in self.study.get_trials(deepcopy=False))

    def failed(self) -> list[Job]:
        trials = self.study.get_trials(deepcopy=False)
        return [job for job in self.sweep.jobs if trials[job.number].state == TrialState.FAIL]

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


def outcome(record: dict[str, Any]) -> tuple[TrialState, float | None]:
    """What Optuna is told of a run: the objective at its best epoch; a run without a finite one has failed."""
    if record.get("status") == "completed":
        if record.get("pruned"):
            return TrialState.PRUNED, None
        best = record["objective"]["best"]
        if best is not None and math.isfinite(best):
            return TrialState.COMPLETE, best
    return TrialState.FAIL, None


def failures(search: Search) -> list[str]:
    """Which trials failed, why, and where their logs are."""
    failed = search.failed()
    lines = [f"{len(failed)} of {search.counts().total()} trials failed:"] * bool(failed)
    for job in failed:
        record = search.sweep.record(job)
        why = failure(record) if record.get("error") else f"{record['objective']['metric']} was never a finite number"
        lines += [f"  job {job.number}, {job.name}: {why}", f"    {search.sweep.folder(job).log}"]
    return lines


def result(search: Search, script: Path) -> list[str]:
    """How the trials ended, which is the best, and the command that trains its setting again."""
    counts = search.counts()
    told = ", ".join(f"{counts[state]} {state}" for state in STATES.values() if counts[state])
    missing = f" of {search.options.trials}" if counts.total() < search.options.trials else ""
    lines = [f"{counts.total()}{missing} trials: {told or 'none begun'}"]
    if job := search.best():
        record = search.sweep.record(job)
        found = record["objective"]
        when = f"step {found['best_step']}" if record.get("counts") == "steps" else f"epoch {found['best_epoch'] + 1}"
        lines.append(f"The best is trial {job.number}: {found['metric']} {found['best']:.6g} at {when} with {job.name}")
        lines.append(f"Train that setting again: python {script} {shlex.join(job.overrides)}")
    return lines
