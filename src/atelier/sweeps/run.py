"""One loop does the jobs of a sweep, wherever they run: an executor starts them and tells which have ended."""

import signal
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from types import FrameType
from typing import Any, Literal

from atelier.errors import InputError
from atelier.runs.manifest import Manifest
from atelier.sweeps.sweep import Job, Sweep
from atelier.sweeps.watch import Lines

Done = Callable[[Job, str], None]  # hears of the end of a job, and of its status
ENDS = ("completed", "failed", "interrupted")


@dataclass(frozen=True)
class End:
    """The end of a job, as its executor saw it.

    Args:
        job: which.
        kind, message: the error of a job that could not write one itself.
        cancelled: whether a user took it out, so that it has not failed.
        overdue: whether it was stopped for its time, which is an error whatever it wrote of that.
        lost: whether it was ended by no fault of its own, so that it is tried once more.
    """

    job: Job
    kind: str
    message: str
    cancelled: bool = False
    overdue: bool = False
    lost: bool = False


class Executor:
    """Where the jobs of a sweep run. A kind of cluster is a subclass with these methods.

    Args:
        sweep: whose jobs.
        watcher: is told when a job starts.
    """

    def __init__(self, sweep: Sweep, watcher: Lines) -> None:
        self.sweep, self.watcher = sweep, watcher
        self.attempts: Counter[int] = Counter()  # by the job's number
        self.before: dict[int, dict[str, Any]] = {}  # what each job's run.json was when it was started
        self.adopted: set[int] = set()

    def adopt(self) -> None:
        """Take over jobs that an earlier process left running."""

    def full(self) -> bool:
        """Whether there is no place for a job, whatever it needs."""
        raise NotImplementedError

    def take(self, job: Job) -> bool:
        """Keep a place for a job that is started next; False if there is none now."""
        raise NotImplementedError

    def start(self, jobs: Sequence[Job]) -> None:
        """Start the jobs that have a place."""
        raise NotImplementedError

    def busy(self) -> bool:
        """Whether a job is not over, and is waited for."""
        raise NotImplementedError

    def ended(self) -> Iterator[End]:
        """The jobs that have ended since, after a moment's wait."""
        raise NotImplementedError

    def stop(self) -> None:
        """Have all jobs save and end; called again and again until they are over."""
        raise NotImplementedError

    def give_up(self) -> None:
        """A second Ctrl-C: do not wait for that."""
        raise NotImplementedError

    def close(self) -> None:
        """End what must not outlive the loop, if something went wrong in it."""

    def said(self, job: Job) -> bool:
        """Whether a job has written itself how it ended."""
        record = self.sweep.record(job)
        return record.get("status") in ENDS and record != self.before.get(job.number)


class Loop:
    """Does jobs until there are none left.

    Args:
        executor: where they run.
        retries: how often a failed job is tried again.
        on_failure: "continue" with the others, or "stop" them.
    """

    def __init__(
        self, executor: Executor, retries: int = 0, on_failure: Literal["continue", "stop"] = "continue"
    ) -> None:
        self.executor, self.retries, self.on_failure = executor, retries, on_failure
        self.sweep, self.watcher = executor.sweep, executor.watcher
        self.todo: list[Job] = []  # asked for, or to be tried again
        self.stopping = False  # whether no further job begins, and those that run save and end
        self.signal = 0  # that ends the sweep

    def run(self, jobs: Iterable[Job], done: Done = lambda job, status: None) -> int:
        """Do all jobs; the signal that ended the sweep before its time, or 0.

        The next job is asked for when there is a place for it; `done` hears of each one's end before that.
        """
        more = iter(jobs)
        before = {number: signal.signal(number, self.stop) for number in (signal.SIGINT, signal.SIGTERM)}
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
            for number, handler in before.items():
                signal.signal(number, handler)
        return self.signal

    def fill(self, more: Iterator[Job]) -> bool:
        """Start what there are places for; whether that was any."""
        begun: list[Job] = []
        while not self.stopping and not self.executor.full():
            new = (job for job in more if job.number not in self.executor.adopted)
            job = self.todo.pop(0) if self.todo else next(new, None)
            if job is None:
                break
            if not self.executor.take(job):
                self.todo.insert(0, job)
                break
            begun.append(job)
        self.executor.before |= {job.number: self.sweep.record(job) for job in begun}
        self.executor.attempts.update(job.number for job in begun)
        if begun:
            self.executor.start(begun)
        return bool(begun)

    def finish(self, end: End, done: Done) -> None:
        """Record how a job ended, as far as it could not do so itself, and what follows from it."""
        job, status = end.job, self.sweep.status(end.job)
        if end.overdue:
            if status != "completed":
                self.sweep.fail(job, end.kind, end.message)
        elif self.stopping or end.cancelled:
            if status == "running":  # it was killed before it had saved
                Manifest.read(self.sweep.folder(job).manifest).update(status="interrupted")
        elif not self.executor.said(job):
            self.sweep.fail(job, end.kind, end.message)
        status, attempt = self.sweep.status(job), self.executor.attempts[job.number]
        again = not self.stopping and (
            (status == "failed" and attempt <= self.retries + end.lost) or (attempt == 0 and status != "completed")
        )
        if status != "waiting" or not end.cancelled:
            self.watcher.ended(job, status, self.sweep.record(job), again)
        elif not self.stopping:
            self.watcher.say(f"job {job.number} was cancelled before it began: {job.name}")
        if again:
            self.todo.append(job)
            return
        done(job, status)
        if status == "failed" and self.on_failure == "stop":
            self.stopping = True

    def stop(self, number: int, frame: FrameType | None) -> None:
        """Ctrl-C: all jobs save and stop; the second time they are not waited for."""
        if self.signal:
            self.executor.give_up()
        self.stopping, self.signal = True, number
