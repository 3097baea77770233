"""Runs jobs on a cluster: submits them to Slurm and sees, with no database of Slurm's, how they end."""

import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from atelier.errors import InputError
from atelier.sweeps.run import Done, End, Executor, Loop
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
        logged: bytes in its log when it was submitted.
        running: whether it has a place.
        reason: why it has none.
        over: when it was first seen to be over.
    """

    job: Job
    logged: int = 0
    running: bool = False
    reason: str = ""
    over: float | None = None


def run_on_slurm(
    sweep: Sweep, script: Path, settings: SlurmSettings, jobs: Iterable[Job], done: Done = lambda job, status: None
) -> int:
    """Do the jobs of a sweep; the signal that ended it before its time, or 0.

    Raises:
        InputError: if Slurm does not take the jobs, or does not answer.
    """
    if sweep.threads is None and settings.cpus_per_task:
        sweep.manifest.update(threads=settings.cpus_per_task)
    with watch(sweep) as watcher:
        executor = Slurm(sweep, watcher, settings, Queue(sweep, script, settings), isinstance(jobs, Sequence))
        return Loop(executor, settings.retries, settings.on_failure).run(jobs, done)


class Slurm(Executor):
    """What Slurm calls each job is kept in sweep.json, so that jobs in its queue outlive this process: whoever resumes
    the sweep waits for them.

    Args:
        sweep: whose jobs.
        watcher: is told.
        settings: how many at once.
        queue: where they are submitted.
        all_known: whether all jobs are known from the start, so that those that need the same are submitted at once,
            as an array that keeps to the limit; of a search, a job is asked for when there is a place for it.
    """

    def __init__(self, sweep: Sweep, watcher: Lines, settings: SlurmSettings, queue: Queue, all_known: bool) -> None:
        super().__init__(sweep, watcher)
        self.queue = queue
        self.limit = settings.jobs if all_known else settings.jobs or 1  # None: as many as Slurm takes
        self.first = all_known  # whether nothing was submitted yet
        self.settings = settings
        self.taken: list[Job] = []  # to be submitted next
        self.submitted: dict[str, Submitted] = {}  # by Slurm's name, until they are over
        self.cancelled = self.left = False
        self.asked = -ASK_EVERY

    def adopt(self) -> None:
        jobs = {job.number: job for job in self.sweep.jobs}
        for name, (number, state) in left_in_queue(self.sweep).items():
            self.submitted[name] = Submitted(jobs[number])
            self.adopted.add(number)
            self.attempts[number] = 0 if state == COMPLETING else 1  # what is ending already goes on afterwards
            self.watcher.say(f"job {number} is in Slurm's queue already ({name}): {jobs[number].name}")
            self.first = False

    # ------------------------------------------------------------------ submitting

    def full(self) -> bool:
        return self.limit is not None and not self.first and len(self.submitted) + len(self.taken) >= self.limit

    def take(self, job: Job) -> bool:
        """Under a limit the first array is of jobs that need the same; what needs something else waits for places."""
        if self.limit is not None and self.taken and self.needs(job) != self.needs(self.taken[0]) and self.first:
            return False
        self.taken.append(job)
        return True

    def needs(self, job: Job) -> Needs:
        return needs_of(job, self.settings)

    def start(self, jobs: Sequence[Job]) -> None:
        """An array for each kind. Slurm's names for its jobs are in sweep.json before anything else happens."""
        self.taken, self.first = [], False
        kinds: dict[Needs, list[Job]] = {}
        for job in jobs:
            kinds.setdefault(self.needs(job), []).append(job)
        for needs, alike in kinds.items():
            logged = [size(self.sweep.folder(job).log) for job in alike]
            try:
                names = self.queue.submit(needs, alike, min(self.limit or len(alike), len(alike)))
            except InputError as error:
                stay = (
                    f"\n{len(self.submitted)} jobs stay in Slurm's queue; sweep.resume={self.sweep.path} "
                    "hydra/launcher=slurm waits for them"
                )
                raise InputError(f"{error}{stay * bool(self.submitted)}") from error
            self.sweep.manifest.update(slurm={name: job.number for name, job in zip(names, alike, strict=True)})
            self.submitted |= {n: Submitted(job, size) for n, job, size in zip(names, alike, logged, strict=True)}

    # ------------------------------------------------------------------ watching

    def busy(self) -> bool:
        return bool(self.submitted) and not self.left

    def ended(self) -> Iterator[End]:
        time.sleep(min(0.1, ASK_EVERY))
        if not self.submitted or time.monotonic() - self.asked < ASK_EVERY:
            return
        self.asked = time.monotonic()
        states = self.queue.states(self.submitted)
        if states is None:
            self.watcher.queued("squeue does not answer")
            return
        for name, one in list(self.submitted.items()):
            state, reason = states.get(name, (GONE, ""))
            if alive(state):
                self.note(one, state, reason)
            elif self.settled(one):
                del self.submitted[name]
                yield End(one.job, *self.cause(name, one, state), cancelled=state == CANCELLED)
        reasons = {one.reason for one in self.submitted.values()} - {*USUAL, ""}
        self.watcher.queued(f"in Slurm's queue: {', '.join(sorted(reasons))}" if reasons else "")

    def note(self, one: Submitted, state: str, reason: str) -> None:
        one.over, one.reason = None, reason if state == PENDING else ""
        if state == RUNNING and not one.running:
            one.running = True
            self.watcher.started(one.job, self.attempts[one.job.number])
        elif state == PENDING and one.running:
            one.running = False
            self.watcher.say(f"job {one.job.number} is in Slurm's queue again and will go on: {one.job.name}")

    def settled(self, one: Submitted) -> bool:
        """Whether a job that is over can be judged: it has said how it ended, or has had the time to."""
        one.over = one.over or time.monotonic()
        said = self.said(one.job) and self.sweep.status(one.job) != "interrupted"  # which Slurm may bring back
        return said or time.monotonic() - one.over >= SETTLE

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

    def stop(self) -> None:
        """Running jobs save and stop, those that wait are dropped."""
        if not self.cancelled:
            self.queue.cancel(self.submitted)
            self.cancelled = True

    def give_up(self) -> None:
        self.left = True


def size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0
