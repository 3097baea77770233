"""Opens the sweep of a command: a new sweep, or a sweep to resume."""

import functools
import os
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

from omegaconf import DictConfig

from atelier.compose.preflight import check_job
from atelier.compose.targets import plain
from atelier.errors import InputError
from atelier.runs.folder import claim, named
from atelier.runs.overrides import bare, key_of, typed
from atelier.sweeps.grid import OF_THE_SWEEP, Grid, differences, expand
from atelier.sweeps.local import Limits
from atelier.sweeps.preflight import Check, check_all, preflight
from atelier.sweeps.settings_from import with_settings_from
from atelier.sweeps.slurm_queue import left_in_queue
from atelier.sweeps.sweep import Job, Sweep, wait_for_leftovers

LAUNCHER = ("hydra/launcher=", "hydra.launcher.")
OF_THE_LIMITS = [f"hydra.launcher.{field.name}" for field in fields(Limits)]


def open_sweep(config: DictConfig, arguments: Sequence[str], root: Path, gpus: int | None = None) -> Sweep:
    """The sweep of `train.py -m`, with its jobs checked.

    Args:
        config: the sweep's configuration, with its `hydra` node.
        arguments: the overrides that were typed after -m.
        root: the project's folder.
        gpus: number of GPUs of a cluster's node; None: the jobs run on this machine.

    Raises:
        InputError: if a job cannot run, or the sweep to resume has another grid.
    """
    study = study_of(config)
    check = functools.partial(check_job, root, dict(os.environ), gpus)
    if config.sweep.resume is not None:
        return resumed(config, arguments, study, functools.partial(check, ()))
    grid, quick = jobs_of(config, arguments, study)
    print(f"{len(grid.jobs)} job{'s' * (len(grid.jobs) != 1)}: checking all of them ...", flush=True)
    facts = preflight(functools.partial(check, grid.swept), grid.jobs)
    jobs = []
    for number, (overrides, values, found) in enumerate(zip(grid.jobs, grid.values, facts, strict=True)):
        known = found.pop("values")  # the composed values, for keys that this job does not set
        jobs.append(Job(number, overrides, {key: value or known[key] for key, value in values.items()}, found))
    objective = facts[0]["objective"]
    return new_sweep(config, arguments, jobs, objective=objective, swept=grid.swept, presentation=study, quick=quick)


def study_of(config: DictConfig) -> dict[str, Any]:
    """The `study` node; if it has no `quick` part, with the experiment's."""
    study: dict[str, Any] = plain(config.study) if config.study is not None else {}
    return study if config.quick is None else {"quick": plain(config.quick), **study}


def jobs_of(config: DictConfig, arguments: Sequence[str], study: dict[str, Any]) -> tuple[Grid, dict[str, str]]:
    """The jobs of a grid, with the best settings of `sweep.settings_from`, and the values that budget=quick changed."""
    grid, quick = expand(arguments, study, config.budget)
    if config.sweep.settings_from is not None:
        earlier = named(str(config.sweep.settings_from), Path(config.paths.logs), "sweep")
        grid = with_settings_from(earlier, grid)
    return grid, quick


def new_sweep(config: DictConfig, arguments: Sequence[str], jobs: list[Job], **content: Any) -> Sweep:
    choices = config.hydra.runtime.choices
    sweep = Sweep.create(
        Path(config.hydra.sweep.dir),
        jobs,
        study=choices.get("study"),
        experiment=choices.get("experiment") or "default",
        budget=config.budget,
        command=list(arguments),
        launcher=launcher_words(config),
        **content,
    )
    sweep.lock = claim(sweep.path)
    return sweep


def launcher_words(config: DictConfig) -> list[str]:
    """The overrides of the launcher; a resumed sweep on this machine keeps those of its start."""
    now = [str(one) for one in config.hydra.overrides.hydra if bare(str(one)).startswith(LAUNCHER)]
    if config.sweep.resume is None:
        return now
    before = Sweep.open(str(config.sweep.resume), Path(config.paths.logs)).content.get("launcher") or []
    if any(key_of(one) not in OF_THE_LIMITS for one in (*before, *now)):  # a cluster's are typed again
        return now
    return list({key_of(one): one for one in (*before, *now)}.values())


def resumed(config: DictConfig, arguments: Sequence[str], study: dict[str, Any], check: Check) -> Sweep:
    sweep = Sweep.open(str(config.sweep.resume), Path(config.paths.logs))
    if any(key_of(one) in ("budget", "sweep.settings_from") or not one.startswith(OF_THE_SWEEP) for one in arguments):
        grid, _ = jobs_of(config, arguments, study)
        if different := differences([job.overrides for job in sweep.jobs], grid.jobs):
            alone = f"give {typed('sweep.resume', sweep.path)} alone, or leave it out and begin another sweep"
            raise InputError(f"the grid is not that of {sweep.path}; {alone}:\n{different}")
    take_up(sweep, config, check)
    print(f"{sweep.path}: {len(sweep.unfinished())} of {len(sweep.jobs)} jobs are to be done", flush=True)
    return sweep


def take_up(sweep: Sweep, config: DictConfig, check: Check, **content: Any) -> None:
    """Lock a sweep to resume, wait for jobs that still run, and record the launcher and the new `content`.

    The devices of the jobs are found anew, since this machine may have others than that of the sweep's start.
    """
    sweep.lock = claim(sweep.path)
    wait_for_leftovers(sweep, left_in_queue(sweep))
    left = sweep.unfinished()
    for job, found in zip(left, check_all(check, [job.overrides for job in left]), strict=True):
        keys = ("accelerator", "gpus", *["devices"] * (sweep.status(job) == "waiting"))  # a run keeps their number
        job.facts.update({key: found[key] for key in keys if key in found})
    sweep.manifest.update(status="running", launcher=launcher_words(config), **content)
