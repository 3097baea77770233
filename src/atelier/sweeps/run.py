"""The loop over the jobs of a sweep; an executor starts the jobs on a machine or a cluster and reports their ends."""

import signal
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from types import FrameType
from typing import Any, Literal

from atelier.errors import InputError
from atelier.runs.interrupt import endings
from atelier.runs.manifest import Manifest
from atelier.sweeps.sweep import Job, Sweep
from atelier.sweeps.watch import Lines, LiveTable

Done = Callable[[Job, str], None]  # called with a job that has ended, and its status
ENDS = ("completed", "failed", "interrupted")


@dataclass(frozen=True)
class End:
    """The end of a job, as its executor reports it."""

    job: Job
    kind: str  # of the error, for a job that could not record its own
    message: str
    cancelled: bool = False  # whether a user cancelled the job, which then has not failed
    lost: bool = False  # whether the job ended without its own fault: it gets one attempt that is no retry


class Executor:
    """Runs the jobs of a sweep. A subclass with these methods adds a cluster system.

    Args:
        retries: number of further attempts for a failed job.
        on_failure: "continue" with the other jobs, or "stop" them.
    """

    def __init__(self, sweep: Sweep, retries: int = 0, on_failure: Literal["continue", "stop"] = "continue") -> None:
        self.sweep, self.retries, self.on_failure = sweep, retries, on_failure
        self.watcher = LiveTable(sweep) if sys.stderr.isatty() else Lines(sweep)  # the subclass calls its `started`
        self.attempts: Counter[int] = Counter()  # {job number: attempts}
        self.before: dict[int, dict[str, Any]] = {}  # {job number: content of its run.json when it started}

    def adopt(self) -> None:
        """Take over jobs that still run from an earlier process of the sweep, and count an attempt of each.

        Raises:
            InputError: if the sweep cannot run here.
        """

    def full(self) -> bool:
        """Whether there is no place for any further job."""
        raise NotImplementedError

    def start(self, job: Job) -> bool:
        """Start a job, or keep it for `submit`; False if there is no place for it now."""
        raise NotImplementedError

    def submit(self) -> None:
        """Start the jobs that `start` has kept, on a cluster that takes several at once."""

    def busy(self) -> bool:
        """Whether the loop must wait for a job."""
        raise NotImplementedError

    def ended(self) -> Iterator[End]:
        """The jobs that have ended since the last call, after a short wait."""
        raise NotImplementedError

    def stop(self) -> None:
        """Tell all jobs to save and end; called repeatedly until they have ended."""
        raise NotImplementedError

    def give_up(self) -> None:
        """Stop waiting for the jobs, after a second Ctrl-C."""
        raise NotImplementedError

    def close(self) -> None:
        """End jobs that must not outlive the loop; called when the loop ends."""

    def said(self, job: Job) -> bool:
        """Whether a job has recorded its own end in run.json."""
        record = self.sweep.record(job)
        return record.get("status") in ENDS and record != self.before.get(job.number)


class Loop:
    """Runs jobs until none is left; the executor starts them."""

    def __init__(self, executor: Executor) -> None:
        self.executor, self.sweep, self.watcher = executor, executor.sweep, executor.watcher
        self.todo: list[Job] = []  # jobs that wait for a place, or for a further attempt
        self.lost: set[int] = set()  # numbers of the jobs of which an attempt was lost
        self.stopping = False  # whether no further job starts, and the running jobs save and end
        self.signal = 0  # the signal that ends the sweep

    def run(self, jobs: Iterable[Job], done: Done = lambda job, status: None) -> int:
        """Run all jobs; return the signal that interrupted the sweep, or 0.

        The next job is drawn from `jobs` when there is a place for it, after `done` was called for each ended job.
        """
        more = iter(jobs)
        before = {number: signal.signal(number, self.stop) for number in endings()}
        try:
            self.executor.adopt()
            while self.fill(more) or self.executor.busy():
                for end in self.executor.ended():
                    self.finish(end, done)
                if self.stopping:
                    self.executor.stop()
                self.watcher.tick()
        except InputError:
            self.sweep.conclude()
            raise
        finally:
            self.executor.close()
            self.watcher.close()
            for number, handler in before.items():
                signal.signal(number, handler)
        return self.signal

    def fill(self, more: Iterator[Job]) -> bool:
        """Start as many jobs as there are places; return whether any started."""
        begun = False
        while not self.stopping and not self.executor.full():
            new = (job for job in more if job.number not in self.executor.attempts)  # without adopted jobs
            job = self.todo.pop(0) if self.todo else next(new, None)
            if job is None:
                break
            self.executor.before[job.number] = self.sweep.record(job)
            self.executor.attempts[job.number] += 1
            if not self.executor.start(job):
                self.executor.attempts[job.number] -= 1
                self.todo.insert(0, job)
                break
            begun = True
        if begun:
            self.executor.submit()
        return begun

    def finish(self, end: End, done: Done) -> None:
        """Record the end of a job that could not record it itself; then retry the job, go on, or stop the sweep."""
        job = end.job
        if self.stopping or end.cancelled:
            if self.sweep.status(job) == "running":  # the job was killed before it had saved
                Manifest.read(self.sweep.folder(job).manifest).update(status="interrupted")
        elif not self.executor.said(job):
            self.sweep.fail(job, end.kind, end.message)
        if end.lost:
            self.lost.add(job.number)
        status, attempt = self.sweep.status(job), self.executor.attempts[job.number]
        allowed = self.executor.retries + (job.number in self.lost)
        more = attempt <= allowed if status == "failed" else attempt == 0 and status != "completed"
        again = more and not self.stopping
        if status != "waiting" or not end.cancelled:
            self.watcher.ended(job, status, self.sweep.record(job), again)
        elif not self.stopping:
            self.watcher.say(f"job {job.number} was cancelled before it began: {job.name}")
        if again:
            self.todo.append(job)
            return
        done(job, status)
        if status == "failed" and self.executor.on_failure == "stop":
            self.stopping = True

    def stop(self, number: int, frame: FrameType | None) -> None:
        """Handle a signal of `endings`: all jobs save and stop; a second signal ends the waiting for them."""
        if self.signal:
            self.executor.give_up()
        self.stopping, self.signal = True, number
