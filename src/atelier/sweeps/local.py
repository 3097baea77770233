"""Runs jobs on this machine: so many at once for each GPU or for so many cores, each in a process of its own."""

import os
import signal
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from multiprocessing.connection import wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Annotated, Any, Literal

from annotated_types import Ge, Gt

from atelier.arguments import check_arguments
from atelier.errors import InputError
from atelier.runs.provenance import cores, told_if_scarce
from atelier.sweeps.process import end_group, run_job, start_process, warm_context
from atelier.sweeps.run import Done, End, Executor, Loop
from atelier.sweeps.slurm_queue import jobs_in_queue
from atelier.sweeps.sweep import Job, Sweep
from atelier.sweeps.watch import Lines, watch

LOST = 255  # what multiprocessing says of a process when the fork server, which would know its end, is gone
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

    jobs: Annotated[int, Ge(1)] | None = None
    jobs_per_gpu: Annotated[int, Ge(1)] = 1
    threads_per_job: Annotated[int, Ge(1)] | None = None
    timeout: Annotated[float, Gt(0)] | None = None
    retries: Annotated[int, Ge(0)] = 0
    on_failure: Literal["continue", "stop"] = "continue"


@dataclass
class Running:
    job: Job
    process: BaseProcess
    places: list[str]
    began: float
    asked: float | None = None  # when it was asked to stop
    timed_out: bool = False


class Local(Executor):
    """Args:
    sweep: whose jobs.
    watcher: is told when a job starts.
    script: the program of a job, `src/train.py`.
    limits: how many at once, and for how long.
    cores: processor cores of this machine.
    """

    def __init__(self, sweep: Sweep, watcher: Lines, script: Path, limits: Limits, cores: int) -> None:
        super().__init__(sweep, watcher)
        self.script, self.limits, self.cores = script, limits, cores
        self.context: Any = warm_context()
        self.running: list[Running] = []
        self.taken: dict[int, list[str]] = {}  # places of the jobs that are started next
        self.places: dict[str, list[str]] = {}  # free places by kind of accelerator
        self.total: dict[str, int] = {}  # all places by kind

    # ------------------------------------------------------------------ places

    def full(self) -> bool:
        if self.limits.jobs is not None and len(self.running) + len(self.taken) >= self.limits.jobs:
            return True
        return bool(self.places) and not any(self.places.values())

    def take(self, job: Job) -> bool:
        """Places for the devices of a job, if there are enough."""
        kind = self.open_places(job)
        devices = job.facts.get("devices", 1)
        free = self.places[kind]
        chosen = list(dict.fromkeys(free)) if kind == "cuda" else list(free)  # no GPU twice
        per_device = self.limits.jobs_per_gpu if kind == "cuda" else 1
        wanted = min(devices if isinstance(devices, int) else 1, self.total[kind] // per_device)
        if len(chosen) < wanted:
            return False
        self.taken[job.number] = chosen[:wanted]
        for place in chosen[:wanted]:
            free.remove(place)
        return True

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

    def threads(self, job: Job) -> int:
        """Of each process of a job, decided at the sweep's first one."""
        if self.sweep.threads is None:
            kind = job.facts.get("accelerator", "cpu")
            at_once = min(self.total[kind], self.sweep.planned * int(job.facts.get("devices") or 1))
            asked = self.limits.threads_per_job or int(os.environ.get("OMP_NUM_THREADS") or 0)
            self.sweep.manifest.update(threads=asked or max(1, self.cores // max(1, at_once)))
        return self.sweep.threads or 1

    # ------------------------------------------------------------------ a job's life

    def start(self, jobs: Sequence[Job]) -> None:
        for job in jobs:
            self.sweep.prepare(job)
            places = self.taken.pop(job.number)
            environment = dict(os.environ)
            if places[0]:
                environment["CUDA_VISIBLE_DEVICES"] = ",".join(places)
            arguments = self.sweep.arguments(job)
            what = (self.script, arguments, self.sweep.folder(job).log, environment, self.threads(job))
            self.running.append(Running(job, start_process(self.context, run_job, what), places, time.monotonic()))
            self.watcher.started(job, self.attempts[job.number])

    def busy(self) -> bool:
        return bool(self.running)

    def ended(self) -> Iterator[End]:
        wait([running.process.sentinel for running in self.running], timeout=0.25)
        for running in [one for one in self.running if not one.process.is_alive()]:
            job, process = running.job, running.process
            process.join()
            end_group(process.pid or 0, signal.SIGKILL)  # processes of a job that outlived its first one
            self.running.remove(running)
            self.places[job.facts.get("accelerator", "cpu")] += running.places
            if running.timed_out:
                told = f"ran longer than hydra.launcher.timeout={self.limits.timeout:g} seconds"
                yield End(job, "Timeout", told, overdue=True)
            elif process.exitcode == LOST:
                yield End(job, "Lost", "lost with the process that it was forked from (out of memory?)", lost=True)
            else:
                yield End(job, *cause(process.exitcode or 0, self.sweep.folder(job).log))
        for running in self.running:
            if self.limits.timeout is not None and time.monotonic() - running.began > self.limits.timeout:
                running.timed_out = True
                ask(running)

    def stop(self) -> None:
        for running in self.running:
            ask(running)

    def give_up(self) -> None:
        for running in self.running:
            end_group(running.process.pid or 0, signal.SIGKILL)

    close = give_up


def ask(running: Running) -> None:
    """Ask a job to save and stop; kill one that was asked and does not."""
    if running.asked is None:
        running.asked = time.monotonic()
        os.kill(running.process.pid or 0, signal.SIGTERM)
    elif time.monotonic() - running.asked > GRACE:
        end_group(running.process.pid or 0, signal.SIGKILL)


def cause(exit_code: int, log: Path) -> tuple[str, str]:
    """Why a job ended that did not say so itself."""
    if exit_code < 0:
        name = signal.Signals(-exit_code).name
        return "Killed", f"ended by {name}" + (" (out of memory?)" if name == "SIGKILL" else "")
    said = [line for line in log.read_text(encoding="utf-8").splitlines() if line.strip()] if log.exists() else []
    return "Exit", f"ended with status {exit_code}" + (f": {said[-1]}" if said else "")


def run_here(
    sweep: Sweep, script: Path, limits: Limits, jobs: Iterable[Job], done: Done = lambda job, status: None
) -> int:
    """Do the jobs of a sweep; the signal that ended it before its time, or 0.

    Raises:
        InputError: if some of them are in the queue of a cluster, or other threads are asked for than it began with.
    """
    if queued := jobs_in_queue(sweep):
        named = ", ".join(map(str, sorted(queued)))
        raise InputError(
            f"jobs of {sweep.path} are still in Slurm's queue: {named}\n"
            "hydra/launcher=slurm waits for them; to do them here, cancel them first (squeue, scancel)"
        )
    asked = limits.threads_per_job
    if asked is not None and sweep.threads not in (None, asked):
        raise InputError(
            f"hydra.launcher.threads_per_job={asked}: {sweep.path} began with {sweep.threads}; leave it out"
        )
    if told := told_if_scarce(sweep.threads):
        print(told, flush=True)
    with watch(sweep) as watcher:
        executor = Local(sweep, watcher, script, limits, cores())
        return Loop(executor, limits.retries, limits.on_failure).run(jobs, done)


def checked_limits(given: dict[str, Any]) -> Limits:
    """The launcher's settings.

    Raises:
        InputError: if one does not exist or has no sensible value.
    """
    check_arguments("hydra.launcher", Limits, given, owner="")
    return Limits(**given)
