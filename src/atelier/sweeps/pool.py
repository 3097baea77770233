"""Jobs fill the machine: so many at once for each GPU or for so many cores, each in a process of its own."""

import os
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from multiprocessing.connection import wait
from multiprocessing.context import BaseContext
from multiprocessing.process import BaseProcess
from pathlib import Path
from types import FrameType
from typing import Any, Literal, Protocol

from atelier.runs.manifest import Manifest
from atelier.sweeps.process import end_group, run_job
from atelier.sweeps.sweep import Job, Sweep

GRACE = 60.0  # seconds that a job has to save before it is killed


@dataclass(frozen=True)
class Limits:
    """How jobs are run.

    Args:
        jobs: at most so many at once; None fills the machine.
        jobs_per_gpu: at most so many at once on one GPU.
        threads_per_job: processor cores for each process of a job; None: OMP_NUM_THREADS, else an equal share.
        timeout: seconds for one attempt, or None.
        retries: how often a failed job is tried again.
        on_failure: "continue" with the others, or "stop" them.
    """

    jobs: int | None = None
    jobs_per_gpu: int = 1
    threads_per_job: int | None = None
    timeout: float | None = None
    retries: int = 0
    on_failure: Literal["continue", "stop"] = "continue"


class Watcher(Protocol):
    """What is told how the jobs go on."""

    def started(self, job: Job, attempt: int) -> None: ...
    def ended(self, job: Job, status: str, record: dict[str, Any], again: bool) -> None: ...
    def tick(self) -> None: ...


@dataclass
class Running:
    job: Job
    process: BaseProcess
    places: list[str]
    began: float
    attempt: int
    asked: float | None = None  # when it was asked to stop
    timed_out: bool = False


class Pool:
    """Runs jobs until there are none left.

    Args:
        sweep: whose jobs.
        script: the program of a job, `src/train.py`.
        limits: how many at once, for how long, how often.
        context: makes the processes.
        watcher: is told.
        cores: processor cores of this machine.
    """

    def __init__(
        self, sweep: Sweep, script: Path, limits: Limits, context: BaseContext, watcher: Watcher, cores: int
    ) -> None:
        self.sweep, self.script, self.limits, self.context, self.watcher = sweep, script, limits, context, watcher
        self.cores = cores
        self.running: list[Running] = []
        self.attempts: Counter[int] = Counter()
        self.stopping = 0  # the signal that ends the sweep
        self.places: dict[str, list[str]] = {}  # free places by kind of accelerator
        self.total: dict[str, int] = {}  # all places by kind

    def run(self, jobs: Iterator[Job], done: Callable[[Job, str], None] = lambda job, status: None) -> None:
        """Do all jobs; the next one is asked for only when there is a place for it. `done` hears of each one's end."""
        queue: list[Job] = []  # asked for, or to be tried again
        more = True
        before = {number: signal.signal(number, self.stop) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            while self.running or (not self.stopping and (queue or more)):
                while not self.stopping and not self.full() and (queue or more):
                    if not queue:
                        queue = [job] if (job := next(jobs, None)) else []
                        more = bool(queue)
                    elif (places := self.take(queue[0])) is not None:
                        self.start(queue.pop(0), places)
                    else:
                        break
                wait([running.process.sentinel for running in self.running], timeout=0.25)
                for running in [one for one in self.running if not one.process.is_alive()]:
                    status = self.finish(running)
                    retry = status == "failed" and not self.stopping and running.attempt <= self.limits.retries
                    self.watcher.ended(running.job, status, self.sweep.record(running.job), retry)
                    if retry:
                        queue.append(running.job)
                        continue
                    done(running.job, status)
                    if status == "failed" and self.limits.on_failure == "stop":
                        self.stopping = self.stopping or signal.SIGTERM
                self.enforce()
                self.watcher.tick()
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
            for running in self.running:  # only if something went wrong in here
                end_group(running.process.pid or 0, signal.SIGKILL)

    # ------------------------------------------------------------------ places

    def open_places(self, job: Job) -> str:
        """The kind of accelerator that the job runs on, whose places are laid out at the first job."""
        kind = job.facts.get("accelerator", "cpu")
        if kind not in self.places:
            if kind == "cuda":
                given = os.environ.get("CUDA_VISIBLE_DEVICES")
                gpus = given.split(",") if given else [str(index) for index in range(job.facts["gpus"])]
                self.places[kind] = [gpu for _ in range(self.limits.jobs_per_gpu) for gpu in gpus]
            elif kind == "cpu":
                threads = self.sweep.threads or self.limits.threads_per_job or 1
                self.places[kind] = [""] * (self.limits.jobs or max(1, self.cores // threads))
            else:
                self.places[kind] = [""]
            self.total[kind] = len(self.places[kind])
        return kind

    def full(self) -> bool:
        """Whether no job could be started now, whatever it needs."""
        if self.limits.jobs is not None and len(self.running) >= self.limits.jobs:
            return True
        return bool(self.places) and not any(self.places.values())

    def take(self, job: Job) -> list[str] | None:
        """Places for the devices of a job, or None if too few are free."""
        kind = self.open_places(job)
        devices = job.facts.get("devices", 1)
        free = self.places[kind]
        chosen = list(dict.fromkeys(free)) if kind == "cuda" else list(free)  # no GPU twice
        wanted = min(devices if isinstance(devices, int) else 1, self.total[kind] // self.per_device(kind))
        if len(chosen) < wanted:
            return None
        for place in chosen[:wanted]:
            free.remove(place)
        return chosen[:wanted]

    def per_device(self, kind: str) -> int:
        return self.limits.jobs_per_gpu if kind == "cuda" else 1

    def threads(self, job: Job) -> int:
        """Of each process of a job, decided at the sweep's first one."""
        if self.sweep.threads is None:
            kind = job.facts.get("accelerator", "cpu")
            at_once = min(self.total[kind], self.sweep.planned * int(job.facts.get("devices") or 1))
            asked = self.limits.threads_per_job or int(os.environ.get("OMP_NUM_THREADS") or 0)
            self.sweep.manifest.update(threads=asked or max(1, self.cores // max(1, at_once)))
        return self.sweep.threads or 1

    # ------------------------------------------------------------------ a job's life

    def start(self, job: Job, places: list[str]) -> None:
        self.sweep.prepare(job)
        environment = dict(os.environ)
        if places[0]:
            environment["CUDA_VISIBLE_DEVICES"] = ",".join(places)
        arguments = self.sweep.arguments(job)
        what = (self.script, arguments, self.sweep.folder(job).log, environment, self.threads(job))
        process = self.context.Process(target=run_job, args=what)  # type: ignore[attr-defined]
        process.start()
        self.attempts[job.number] += 1
        self.running.append(Running(job, process, places, time.monotonic(), self.attempts[job.number]))
        self.watcher.started(job, self.attempts[job.number])

    def finish(self, running: Running) -> str:
        """How a job ended; what it could not write about its end itself is written."""
        job, process = running.job, running.process
        process.join()
        end_group(process.pid or 0, signal.SIGKILL)  # processes of a job that outlived its first one
        self.running.remove(running)
        self.places[job.facts.get("accelerator", "cpu")] += running.places
        status = self.sweep.status(job)
        if running.timed_out and status != "completed":
            self.sweep.fail(job, "Timeout", f"ran longer than hydra.launcher.timeout={self.limits.timeout:g} seconds")
        elif self.stopping and status == "running":  # it was stopped before it could listen
            Manifest.read(self.sweep.folder(job).manifest).update(status="interrupted")
        elif not self.stopping and status not in ("completed", "failed", "interrupted"):
            self.sweep.fail(job, *self.cause(process.exitcode or 0, self.sweep.folder(job).log))
        return self.sweep.status(job)

    def cause(self, exit_code: int, log: Path) -> tuple[str, str]:
        """Why a job ended that did not say so itself."""
        if exit_code < 0:
            name = signal.Signals(-exit_code).name
            return "Killed", f"ended by {name}" + (" (out of memory?)" if name == "SIGKILL" else "")
        said = [line for line in log.read_text(encoding="utf-8").splitlines() if line.strip()] if log.exists() else []
        return "Exit", f"ended with status {exit_code}" + (f": {said[-1]}" if said else "")

    # ------------------------------------------------------------------ ends before time

    def stop(self, number: int, frame: FrameType | None) -> None:
        """Ctrl-C: all jobs save and stop; the second time they are killed."""
        if self.stopping:
            for running in self.running:
                end_group(running.process.pid or 0, signal.SIGKILL)
        self.stopping = number

    def enforce(self) -> None:
        """Ask jobs to stop that are to, and kill those that were asked and do not."""
        now = time.monotonic()
        for running in self.running:
            if self.limits.timeout is not None and now - running.began > self.limits.timeout:
                running.timed_out = True
            if (self.stopping or running.timed_out) and running.asked is None:
                running.asked = now
                os.kill(running.process.pid or 0, signal.SIGTERM)
            elif running.asked is not None and now - running.asked > GRACE:
                end_group(running.process.pid or 0, signal.SIGKILL)
