"""Runs the jobs of a sweep on a Slurm cluster, and finds out how they end without Slurm's accounting database."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from atelier.errors import InputError
from atelier.runs.overrides import typed
from atelier.sweeps.run import End, Executor
from atelier.sweeps.slurm_queue import GONE, Needs, Queue, SlurmSettings, alive, ask_squeue, left_in_queue
from atelier.sweeps.sweep import Job, Sweep

ASK_EVERY = 2.0  # seconds between two calls of squeue
SETTLE = 5.0  # seconds until a job's last file is visible here, and until a requeued job is in the queue again
USUAL = ("None", "JobArrayTaskLimit")  # reasons to wait that are not shown


@dataclass
class Submitted:
    """A job in Slurm's queue."""

    job: Job
    logged: int = 0  # size of the job's log in bytes when it was submitted
    running: bool = False
    reason: str = ""  # Slurm's reason why the job waits
    over: float | None = None  # clock when the job was first seen to have ended


class Slurm(Executor):
    """The executor of a Slurm cluster.

    sweep.json holds Slurm's name of each job, so that a resumed sweep waits for jobs that are still in the queue.
    The jobs of a grid are all known from the start: those with equal needs are submitted together, as an array under
    the limit. A search draws a job when there is a place for it.
    """

    def __init__(self, sweep: Sweep, script: Path, settings: SlurmSettings) -> None:
        super().__init__(sweep, settings.retries, settings.on_failure)
        self.settings, self.queue = settings, Queue(sweep, script, settings)
        self.limit = settings.jobs or (1 if sweep.search else None)  # None: no limit
        self.first = not sweep.search  # whether the next submission is the first, of all jobs of a grid
        if sweep.threads is None and settings.cpus_per_task:
            sweep.manifest.update(threads=settings.cpus_per_task)
        self.taken: list[Job] = []  # jobs to submit next
        self.submitted: dict[str, Submitted] = {}  # {Slurm's name: job}, until the job has ended
        self.cancelled = self.left = False
        self.asked = -ASK_EVERY

    def adopt(self) -> None:
        jobs = {job.number: job for job in self.sweep.jobs}
        for number, (name, state) in left_in_queue(self.sweep).items():
            self.submitted[name] = Submitted(jobs[number])
            self.attempts[number] = 0 if state == "COMPLETING" else 1  # an interrupted job that is ending runs again
            self.watcher.say(f"job {number} is in Slurm's queue already ({name}): {jobs[number].name}")
            self.first = False

    # ------------------------------------------------------------------ submitting

    def full(self) -> bool:
        return self.limit is not None and not self.first and len(self.submitted) + len(self.taken) >= self.limit

    def start(self, job: Job) -> bool:
        """Keep a job for `submit`; under a limit the first array takes only jobs with equal needs, the others wait."""
        alike = not self.taken or self.settings.needs(job) == self.settings.needs(self.taken[0])
        if self.first and self.limit is not None and not alike:
            return False
        self.taken.append(job)
        return True

    def submit(self) -> None:
        """Submit an array for each kind of needs, and write Slurm's names of the jobs into sweep.json at once."""
        kinds: dict[Needs, list[Job]] = {}
        for job in self.taken:
            kinds.setdefault(self.settings.needs(job), []).append(job)
        self.taken, self.first = [], False
        for needs, alike in kinds.items():
            logs = [self.sweep.folder(job).log for job in alike]
            logged = [log.stat().st_size if log.exists() else 0 for log in logs]
            try:
                names = self.queue.submit(needs, alike, self.limit or len(alike))
            except InputError as error:
                waits = f"{typed('sweep.resume', self.sweep.path)} hydra/launcher=slurm waits for them"
                stay = f"\n{len(self.submitted)} jobs stay in Slurm's queue; {waits}" * bool(self.submitted)
                raise InputError(f"{error}{stay}") from error
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
        states = ask_squeue(self.submitted)
        if states is None:
            self.watcher.queued("squeue does not answer")
            return
        for name, one in list(self.submitted.items()):
            state, reason = states.get(name, (GONE, ""))
            if alive(state):
                self.note(one, state, reason)
            elif self.settled(one):
                del self.submitted[name]
                yield End(one.job, *self.cause(name, one, state), cancelled=state == "CANCELLED")
        reasons = {one.reason for one in self.submitted.values()} - {*USUAL, ""}
        self.watcher.queued(f"in Slurm's queue: {', '.join(sorted(reasons))}" if reasons else "")

    def note(self, one: Submitted, state: str, reason: str) -> None:
        one.over, one.reason = None, reason if state == "PENDING" else ""
        if state == "RUNNING" and not one.running:
            one.running = True
            self.watcher.started(one.job, self.attempts[one.job.number])
        elif state == "PENDING" and one.running:
            one.running = False
            self.watcher.say(f"job {one.job.number} is in Slurm's queue again and will go on: {one.job.name}")

    def settled(self, one: Submitted) -> bool:
        """Whether the end of a job is certain: the job has recorded it, or SETTLE seconds have passed."""
        one.over = one.over or time.monotonic()
        said = self.said(one.job) and self.sweep.status(one.job) != "interrupted"  # Slurm may requeue such a job
        return said or time.monotonic() - one.over >= SETTLE

    def cause(self, name: str, one: Submitted, state: str) -> tuple[str, str]:
        """Error of a job that recorded none, (kind, message): Slurm's state, srun's error, the last line of the log."""
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
        """Cancel all jobs: running jobs save and stop, waiting jobs leave the queue."""
        if not self.cancelled:
            self.queue.cancel(self.submitted)
            self.cancelled = True

    def give_up(self) -> None:
        self.left = True
