"""Runs the jobs of a sweep on this machine."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from atelier.compose.targets import check_arguments
from atelier.errors import InputError
from atelier.runs.threads import cores, told_if_scarce
from atelier.sweeps.pool import Limits, Pool
from atelier.sweeps.process import warm_context
from atelier.sweeps.slurm_queue import jobs_in_queue
from atelier.sweeps.sweep import Job, Sweep
from atelier.sweeps.watch import watch


def run_here(
    sweep: Sweep,
    script: Path,
    limits: Limits,
    jobs: Iterator[Job],
    done: Callable[[Job, str], None] = lambda job, status: None,
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
        pool = Pool(sweep, script, limits, warm_context(), watcher, cores())
        pool.run(jobs, done)
    return pool.stopping


def checked_limits(given: dict[str, Any]) -> Limits:
    """The launcher's settings.

    Raises:
        InputError: if one does not exist or has no sensible value.
    """
    check_arguments("hydra.launcher", Limits, given)
    limits = Limits(**given)
    for key in ("jobs", "jobs_per_gpu", "threads_per_job", "timeout"):
        value = getattr(limits, key)
        if value is not None and value <= 0:
            raise InputError(f"hydra.launcher.{key}={value}: give a number above 0")
    return limits
