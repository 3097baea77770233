"""Runs the jobs of a sweep on this machine, several at once, each in its own process."""

import os
import signal
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Annotated, Any, Literal

from annotated_types import Ge, Gt

from atelier.errors import InputError
from atelier.runs.provenance import cores, threads_asked, told_if_scarce
from atelier.sweeps.process import kill_group, run_job, start_process, warm_context
from atelier.sweeps.run import End, Executor
from atelier.sweeps.slurm_queue import left_in_queue
from atelier.sweeps.sweep import Job, Sweep

LOST = 255  # multiprocessing's exit code of a process whose fork server has died
DEAF = 3600.0  # seconds after which a job is killed that was told to stop
GRACE = 60.0  # seconds in which a job that ran too long saves its checkpoint, before it is killed


@dataclass(frozen=True)
class Limits:
    """The keys of hydra/launcher=local."""

    jobs: Annotated[int, Ge(1)] | None = None  # maximum number of jobs at once; None fills the machine
    jobs_per_gpu: Annotated[int, Ge(1)] = 1  # maximum number of jobs at once on a GPU
    # Threads of each process of a job; None: OMP_NUM_THREADS, else an equal share of the cores.
    threads_per_job: Annotated[int, Ge(1)] | None = None
    timeout: Annotated[float, Gt(0)] | None = None  # time limit of an attempt, in seconds
    retries: Annotated[int, Ge(0)] = 0  # number of further attempts for a failed job
    on_failure: Literal["continue", "stop"] = "continue"  # go on with the other jobs, or stop them


@dataclass
class Running:
    job: Job
    process: BaseProcess
    places: list[str]
    began: float
    asked: float | None = None  # clock when the job was told to stop
    timed_out: bool = False


class Local(Executor):
    """The executor of this machine with its CPU cores. A job occupies a place for each of its devices."""

    def __init__(self, sweep: Sweep, script: Path, limits: Limits) -> None:
        super().__init__(sweep, limits.retries, limits.on_failure)
        self.script, self.limits, self.cores = script, limits, cores()
        self.threads_per_job = limits.threads_per_job or threads_asked()  # 0: not asked for
        self.context: Any = warm_context()
        self.running: list[Running] = []
        self.places: dict[str, list[str]] = {}  # free places by kind of accelerator
        self.total: dict[str, int] = {}  # all places by kind

    def adopt(self) -> None:
        """
        Raises:
            InputError: if jobs are in Slurm's queue, or `threads_per_job` differs from that of the sweep's start.
        """
        if queued := left_in_queue(self.sweep):
            named = ", ".join(map(str, sorted(queued)))
            remedy = "hydra/launcher=slurm waits for them; to run them here, cancel them first (squeue, scancel)"
            raise InputError(f"jobs of {self.sweep.path} are still in Slurm's queue: {named}\n{remedy}")
        asked = self.limits.threads_per_job
        if asked is not None and self.sweep.threads not in (None, asked):
            began = f"{self.sweep.path} began with {self.sweep.threads}"
            raise InputError(f"hydra.launcher.threads_per_job={asked}: {began}; leave it out")
        if told := told_if_scarce(self.sweep.threads):
            print(told, flush=True)

    # ------------------------------------------------------------------ places

    def full(self) -> bool:
        if self.limits.jobs is not None and len(self.running) >= self.limits.jobs:
            return True
        return bool(self.places) and not any(self.places.values())

    def take(self, job: Job) -> list[str]:
        """The places of a job, one for each of its devices, which are taken; [] if too few are free."""
        kind = self.open_places(job)
        free = self.places[kind]
        chosen = list(dict.fromkeys(free)) if kind == "cuda" else list(free)  # a job uses each GPU once
        per_device = self.limits.jobs_per_gpu if kind == "cuda" else 1
        wanted = min(int(job.facts.get("devices") or 1), self.total[kind] // per_device)
        if len(chosen) < wanted:
            return []
        for place in chosen[:wanted]:
            free.remove(place)
        return chosen[:wanted]

    def open_places(self, job: Job) -> str:
        """The kind of accelerator of the job; its first job opens its places, and decides the threads of a process."""
        kind = job.facts.get("accelerator", "cpu")
        if kind not in self.places:
            if kind == "cuda":
                given = os.environ.get("CUDA_VISIBLE_DEVICES")
                gpus = given.split(",") if given else [str(index) for index in range(job.facts["gpus"])]
                self.places[kind] = [gpu for _ in range(self.limits.jobs_per_gpu) for gpu in gpus]
            else:
                threads = self.sweep.threads or self.threads_per_job or 1
                count = max(self.limits.jobs or 1, self.cores // threads)  # `full` keeps to the number of jobs
                self.places[kind] = [""] * (count if kind == "cpu" else 1)
            self.total[kind] = len(self.places[kind])
            if self.sweep.threads is None:
                jobs = min(self.sweep.planned, self.limits.jobs or self.sweep.planned)
                devices = max(int(job.facts.get("devices") or 1) for job in self.sweep.jobs)
                at_once = min(self.total[kind], jobs * devices)  # processes
                self.sweep.manifest.update(threads=self.threads_per_job or max(1, self.cores // at_once))
        return kind

    # ------------------------------------------------------------------ jobs

    def start(self, job: Job) -> bool:
        if not (places := self.take(job)):
            return False
        self.sweep.prepare(job)
        environment = dict(os.environ)
        if places[0]:
            environment["CUDA_VISIBLE_DEVICES"] = ",".join(places)
        what = (self.script, self.sweep.arguments(job), self.sweep.folder(job).log, environment, self.sweep.threads)
        began = time.monotonic()
        self.running.append(Running(job, start_process(self.context, run_job, what), places, began))
        self.watcher.started(job, self.attempts[job.number])
        return True

    def busy(self) -> bool:
        return bool(self.running)

    def ended(self) -> Iterator[End]:
        wait([running.process.sentinel for running in self.running], timeout=0.25)
        for running in [one for one in self.running if not one.process.is_alive()]:
            job, process = running.job, running.process
            process.join()
            kill_group(process)  # child processes that outlived the job's main process
            self.running.remove(running)
            self.places[job.facts.get("accelerator", "cpu")] += running.places
            if running.timed_out:
                error = "Timeout", f"ran longer than hydra.launcher.timeout={self.limits.timeout:g} seconds"
                if self.sweep.status(job) != "completed":
                    self.sweep.fail(job, *error)  # also if it has recorded that it was interrupted
                yield End(job, *error)
            elif process.exitcode == LOST:
                yield End(job, "Lost", "ended together with its fork server (out of memory?)", lost=True)
            else:
                yield End(job, *cause(process.exitcode or 0, self.sweep.folder(job).log))
        for running in self.running:
            if self.limits.timeout is not None and time.monotonic() - running.began > self.limits.timeout:
                running.timed_out = True
                ask(running, patience=GRACE)

    def stop(self) -> None:
        self.watcher.queued("waiting for the running jobs to save; a second Ctrl-C kills them" * bool(self.running))
        for running in self.running:
            ask(running, patience=DEAF)

    def give_up(self) -> None:
        for running in self.running:
            kill_group(running.process)

    close = give_up


def ask(running: Running, patience: float) -> None:
    """Tell a job once to save and stop, with SIGTERM; kill it if it still runs `patience` seconds later."""
    if running.asked is None:
        running.asked = time.monotonic()
        with suppress(ProcessLookupError):  # it has just ended
            os.kill(running.process.pid or 0, signal.SIGTERM)
    elif time.monotonic() - running.asked > patience:
        kill_group(running.process)


def cause(exit_code: int, log: Path) -> tuple[str, str]:
    """Error of a job that recorded none, (kind, message), from its exit code and the last line of its log."""
    if exit_code < 0:
        name = signal.Signals(-exit_code).name
        return "Killed", f"ended by {name}" + (" (out of memory?)" if name == "SIGKILL" else "")
    said = [line for line in log.read_text("utf-8", "replace").splitlines() if line.strip()] if log.exists() else []
    return "Exit", f"ended with status {exit_code}" + (f": {said[-1]}" if said else "")
