"""Runs a sweep on a cluster: submits its jobs to Slurm and waits, with no database of Slurm's, until they are done."""

import signal
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

from atelier.errors import InputError
from atelier.runs.manifest import Manifest
from atelier.sweeps.slurm_queue import (
    CANCELLED,
    COMPLETING,
    GONE,
    PENDING,
    RUNNING,
    Needs,
    Queue,
    SlurmSettings,
    alive,
    left_in_queue,
    needs_of,
)
from atelier.sweeps.sweep import Job, Sweep
from atelier.sweeps.watch import Lines, watch

ASK_EVERY = 2.0  # seconds between two squeue
SETTLE = 5.0  # seconds for a file that a job wrote last to be seen here, and for a job that Slurm requeues to be back
USUAL = ("None", "JobArrayTaskLimit")  # reasons to wait that say nothing new


@dataclass
class Submitted:
    """A job in Slurm's queue.

    Args:
        job: which.
        attempt: its number; 0 if the job was ending when this process found it in the queue.
        before: its run.json when it was submitted.
        logged: bytes in its log then.
        running: whether it has a place.
        reason: why it has none.
        over: when it was first seen to be over.
    """

    job: Job
    attempt: int
    before: dict[str, Any] | None = None
    logged: int = 0
    running: bool = False
    reason: str = ""
    over: float | None = None


def run_on_slurm(
    sweep: Sweep,
    script: Path,
    settings: SlurmSettings,
    jobs: Iterable[Job],
    done: Callable[[Job, str], None] = lambda job, status: None,
) -> int:
    """Do the jobs of a sweep; the signal that ended it before its time, or 0.

    Raises:
        InputError: if Slurm does not take the jobs, or does not answer.
    """
    if sweep.threads is None and settings.cpus_per_task:
        sweep.manifest.update(threads=settings.cpus_per_task)
    with watch(sweep) as watcher:
        cluster = Cluster(sweep, settings, Queue(sweep, script, settings), watcher)
        cluster.run(jobs, done)
    return cluster.stopping


class Cluster:
    """Runs jobs until there are none left.

    What Slurm calls each of them is kept in sweep.json, so that jobs in its queue outlive this process: whoever resumes
    the sweep waits for them.

    Args:
        sweep: whose jobs.
        settings: how many at once, how often.
        queue: where they are submitted.
        watcher: is told.
    """

    def __init__(self, sweep: Sweep, settings: SlurmSettings, queue: Queue, watcher: Lines) -> None:
        self.sweep, self.settings, self.queue, self.watcher = sweep, settings, queue, watcher
        self.submitted: dict[str, Submitted] = {}  # by Slurm's name, until they are over
        self.todo: list[Job] = []  # to be submitted
        self.more: Iterator[Job] = iter(())  # to be asked for
        self.attempts: Counter[int] = Counter()
        self.places = settings.jobs  # None: no limit of ours
        self.stopping = 0  # the signal that ends the sweep
        self.leaving = False  # without waiting for the jobs

    def run(self, jobs: Iterable[Job], done: Callable[[Job, str], None] = lambda job, status: None) -> None:
        """Do all jobs. A list is submitted at once; of anything else, a job is asked for when there is a place for it.

        `done` hears of each one's end before another is asked for.
        """
        before = {number: signal.signal(number, self.stop) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            self.adopt()
            if isinstance(jobs, Sequence):
                self.submit_all([job for job in jobs if not self.in_queue(job)])
            else:
                self.places, self.more = self.places or 1, iter(jobs)
            cancelled = False
            while not self.leaving and (self.fill() or self.submitted):
                if self.stopping and not cancelled:
                    self.queue.cancel(self.submitted)
                    cancelled = True
                self.rest()
                self.look(done)
        except InputError as error:
            raise InputError(self.what_stays(str(error))) from error
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    # ------------------------------------------------------------------ submitting

    def adopt(self) -> None:
        """Wait also for jobs that an earlier process submitted."""
        jobs = {job.number: job for job in self.sweep.jobs}
        for name, (number, state) in left_in_queue(self.sweep).items():
            attempt = 0 if state == COMPLETING else 1
            self.submitted[name] = Submitted(jobs[number], attempt)
            self.attempts[number] = attempt
            self.watcher.say(f"job {number} is in Slurm's queue already ({name}): {jobs[number].name}")

    def in_queue(self, job: Job) -> bool:
        return any(one.job.number == job.number for one in self.submitted.values())

    def submit_all(self, jobs: list[Job]) -> None:
        """One array of all jobs that need the same; with a limit, what needs something else waits for places in it."""
        self.todo = jobs
        if jobs and self.places is not None and not self.submitted:
            needs, alike = self.alike(jobs)[0]
            self.todo = [job for job in jobs if job not in alike]
            self.submit(needs, alike, self.places)

    def fill(self) -> bool:
        """Submit what there are places for; whether that was any."""
        if self.stopping:
            return False
        free = len(self.todo) if self.places is None else max(0, self.places - len(self.submitted))
        while len(self.todo) < free and (job := next(self.more, None)) is not None:
            if not self.in_queue(job):
                self.todo.append(job)
        now, self.todo = self.todo[:free], self.todo[free:]
        for needs, alike in self.alike(now):
            self.submit(needs, alike, len(alike))
        return bool(now)

    def alike(self, jobs: list[Job]) -> list[tuple[Needs, list[Job]]]:
        groups: dict[Needs, list[Job]] = {}
        for job in jobs:
            groups.setdefault(needs_of(job, self.settings), []).append(job)
        return list(groups.items())

    def submit(self, needs: Needs, jobs: list[Job], at_once: int) -> None:
        """One array. Slurm's names for its jobs are in sweep.json before anything else happens."""
        before = [(self.sweep.record(job), size(self.sweep.folder(job).log)) for job in jobs]
        names = self.queue.submit(needs, jobs, min(at_once, len(jobs)))
        self.sweep.manifest.update(slurm={name: job.number for name, job in zip(names, jobs, strict=True)})
        for name, job, (record, logged) in zip(names, jobs, before, strict=True):
            self.attempts[job.number] += 1
            self.submitted[name] = Submitted(job, self.attempts[job.number], record, logged)

    def what_stays(self, problem: str) -> str:
        """An error's message, with what becomes of the jobs that Slurm has."""
        self.sweep.conclude()
        if not self.submitted:
            return problem
        return (
            f"{problem}\n{len(self.submitted)} jobs stay in Slurm's queue; sweep.resume={self.sweep.path} "
            "hydra/launcher=slurm waits for them"
        )

    # ------------------------------------------------------------------ watching

    def rest(self) -> None:
        """Until Slurm is asked the next time."""
        end = time.monotonic() + ASK_EVERY
        asked = self.stopping
        while time.monotonic() < end and not self.leaving and self.stopping == asked:
            self.watcher.tick()
            time.sleep(min(0.1, ASK_EVERY))

    def look(self, done: Callable[[Job, str], None]) -> None:
        """See how the jobs stand, and bring those to an end that are over."""
        states = self.queue.states(self.submitted) if self.submitted else {}
        if states is None:
            self.watcher.queued("squeue does not answer")
            return
        for name, one in list(self.submitted.items()):
            state, reason = states.get(name, (GONE, ""))
            if alive(state):
                self.note(one, state, reason)
            elif self.settled(one):
                self.finish(name, one, state, done)
        reasons = {one.reason for one in self.submitted.values()} - {*USUAL, ""}
        self.watcher.queued(f"in Slurm's queue: {', '.join(sorted(reasons))}" if reasons else "")

    def note(self, one: Submitted, state: str, reason: str) -> None:
        one.over, one.reason = None, reason if state == PENDING else ""
        if state == RUNNING and not one.running:
            one.running = True
            self.watcher.started(one.job, one.attempt)
        elif state == PENDING and one.running:
            one.running = False
            self.watcher.say(f"job {one.job.number} is in Slurm's queue again and will go on: {one.job.name}")

    def settled(self, one: Submitted) -> bool:
        """Whether a job that is over can be judged: it has said how it ended, or has had the time to."""
        one.over = one.over or time.monotonic()
        said = self.sweep.status(one.job) in ("completed", "failed") and self.sweep.record(one.job) != one.before
        return said or time.monotonic() - one.over >= SETTLE

    def finish(self, name: str, one: Submitted, state: str, done: Callable[[Job, str], None]) -> None:
        """Record how a job ended, as far as it could not do so itself, and what follows from it."""
        del self.submitted[name]
        job, record = one.job, self.sweep.record(one.job)
        status = record.get("status", "waiting")
        if state == CANCELLED or self.stopping:
            if status == "running":  # it was killed before it had saved
                Manifest.read(self.sweep.folder(job).manifest).update(status="interrupted")
        elif status in ("waiting", "running") or record == one.before:
            self.sweep.fail(job, *self.cause(name, one, state))
        status = self.sweep.status(job)
        again = not self.stopping and (
            (status == "failed" and one.attempt <= self.settings.retries)
            or (one.attempt == 0 and status != "completed")
        )
        if status != "waiting":
            self.watcher.ended(job, status, self.sweep.record(job), again)
        elif not self.stopping:
            self.watcher.say(f"job {job.number} was cancelled before it began: {job.name}")
        if again:
            self.todo.append(job)
            return
        done(job, status)
        if status == "failed" and self.settings.on_failure == "stop":
            self.stopping = self.stopping or signal.SIGTERM

    def cause(self, name: str, one: Submitted, state: str) -> tuple[str, str]:
        """Why a job ended that did not say so itself: Slurm's word for it, srun's, and the last of its own."""
        if state == "TIMEOUT":
            return "Timeout", "ended by Slurm at its time limit, hydra.launcher.time"
        told = self.queue.output(name)
        errors = [line for line in told if "error: " in line]
        log = self.sweep.folder(one.job).log
        said = log.read_bytes()[one.logged :].decode(errors="replace").splitlines() if log.exists() else []
        last = [line for line in said if line.strip()] or [line for line in told if line not in errors]
        word = "no longer in the queue" if state == GONE else state
        return "Slurm", ": ".join([word, *errors[-1:], *last[-1:]])

    def stop(self, number: int, frame: FrameType | None) -> None:
        """Ctrl-C: all jobs save and stop; the second time this process does not wait for that."""
        self.leaving = bool(self.stopping)
        self.stopping = number


def size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0
