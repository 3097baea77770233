"""Which search a command is about, a new one or one to go on with; and how it ends."""

import functools
import os
import secrets
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from multiprocessing.context import BaseContext
from pathlib import Path
from typing import TYPE_CHECKING, Any

from omegaconf import DictConfig

from atelier.compose.preflight import check_job
from atelier.compose.targets import check_arguments
from atelier.errors import InputError
from atelier.runs.threads import cores
from atelier.sweeps.grid import OF_THE_SWEEP, Choice
from atelier.sweeps.preflight import Check, check_all, check_one
from atelier.sweeps.process import alive, warm_context
from atelier.sweeps.search_space import Space, label, space_of
from atelier.sweeps.slurm_queue import jobs_in_queue
from atelier.sweeps.start import claim, new_sweep, study_of
from atelier.sweeps.sweep import Sweep, wait_for_leftovers
from atelier.sweeps.watch import how_to_go_on

if TYPE_CHECKING:
    from atelier.sweeps.search import Search
    from atelier.sweeps.search_methods import Options

OWN = "hydra.sweeper."
SCRIPT = Path("src/train.py")


def is_search(config: DictConfig) -> bool:
    """Whether the sweep that is to be resumed is a search."""
    return config.sweep.resume is not None and bool(named_sweep(config).search)


def named_sweep(config: DictConfig) -> Sweep:
    return Sweep.open(str(config.sweep.resume), Path(config.paths.logs))


def open_search(
    config: DictConfig, arguments: Sequence[str], root: Path, gpus: int | None, given: Mapping[str, Any]
) -> "Search":
    """The search that `train.py -m` is to do, its space checked.

    Args:
        config: Hydra's configuration of the sweep, its own part included.
        arguments: what was typed after -m.
        root: the project's folder.
        gpus: of a cluster's node for each job; None: the jobs run on this machine.
        given: the settings of hydra/sweeper=optuna; nothing if only sweep.resume was typed.

    Raises:
        InputError: if a setting or the space makes no sense, no trial could run, or a search to go on with is another.
    """
    try:
        from atelier.sweeps.search import Search
    except ModuleNotFoundError as error:
        raise InputError("hydra/sweeper=optuna needs the package optuna: pip install 'atelier[optuna]'") from error
    check = functools.partial(check_job, root, dict(os.environ), gpus, ())
    sweep, space, options = (resumed if config.sweep.resume is not None else begun)(config, arguments, check, given)
    return Search(sweep, space, options, functools.partial(check_one, check, warm_context()))


def begun(
    config: DictConfig, arguments: Sequence[str], check: Any, given: Mapping[str, Any]
) -> tuple[Sweep, Space, "Options"]:
    options = checked_options(given)
    study = study_of(config)
    space = space_of(arguments, study, config.budget)
    print(f"A search over {', '.join(space.swept)}: checking its ends ...", flush=True)
    objective = try_corners(space, check, warm_context(), cores())
    figure = {"kind": "search", "logarithmic": space.logarithmic}
    sweep = new_sweep(
        config,
        [*typed_settings(config), *arguments],
        [],
        objective=objective,
        swept=space.swept,
        presentation={**study, "figures": [figure, *(study.get("figures") or [])]},
        quick=space.quick,
        search=asdict(options),
    )
    return sweep, space, options


def resumed(
    config: DictConfig, arguments: Sequence[str], check: Any, given: Mapping[str, Any]
) -> tuple[Sweep, Space, "Options"]:
    """The search as it began, with the settings that are typed now."""
    sweep = named_sweep(config)
    if not sweep.search:
        raise InputError(f"{sweep.path} is a grid; resume it without hydra/sweeper=optuna")
    typed = {setting.removeprefix(OWN).partition("=")[0].split(".")[0] for setting in typed_settings(config)}
    options = checked_options({**sweep.search, **{key: value for key, value in given.items() if key in typed}})
    manifest = sweep.manifest
    space = space_of(manifest["command"], manifest["presentation"], manifest["budget"])
    if any(not argument.startswith(OF_THE_SWEEP) for argument in arguments):
        study = study_of(config)
        refuse_other(sweep, space, space_of(arguments, study, config.budget))
    claim(sweep)
    wait_for_leftovers(sweep, alive, jobs_in_queue(sweep))
    print(f"{sweep.path}: going on to {options.trials} trials", flush=True)
    manifest.update(status="running", search=asdict(options))
    return sweep, space, options


def try_corners(space: Space, check: Check, context: BaseContext, processes: int) -> dict[str, str]:
    """The objective {metric, mode} of all settings.

    A setting that cannot run though each of its values can elsewhere is no reason to refuse the search: it will be a
    failed trial.

    Raises:
        InputError: if some value can run with no other, or the settings have different objectives.
    """
    corners = space.corners()
    found = check_all(check, [space.job(corner) for corner in corners], context, processes)
    if problems := hopeless(corners, found):
        count = sum("problem" in facts for facts in found)
        headline = f"{count} of {len(found)} settings that were checked cannot run, so no trial was started:"
        raise InputError("\n".join([headline, *(f"  {problem}" for problem in problems)]))
    objectives = [facts["objective"] for facts in found if "problem" not in facts]
    if other := next((one for one in objectives if one != objectives[0]), None):
        told = " and ".join(f"{one['metric']} ({one['mode']})" for one in (objectives[0], other))
        raise InputError(f"the settings have different objectives, {told}; a search needs one: give task.metric=NAME")
    return objectives[0]


def hopeless(corners: Sequence[dict[str, Choice]], found: Sequence[dict[str, Any]]) -> list[str]:
    """Each problem of the settings with a value that ran nowhere, with the first setting that has it."""
    seen = [{(name, label(choice)) for name, choice in corner.items()} for corner in corners]
    able = set().union(*(values for values, facts in zip(seen, found, strict=True) if "problem" not in facts))
    problems: dict[str, str] = {}
    for corner, values, facts in zip(corners, seen, found, strict=True):
        if not values <= able:
            setting = " ".join(override for choice in corner.values() for override in choice)
            problems.setdefault(facts["problem"], setting)
    return [f"{problem} (with {setting})" for problem, setting in problems.items()]


def refuse_other(sweep: Sweep, before: Space, now: Space) -> None:
    """
    Raises:
        InputError: if what is typed now is not what the search began with.
    """
    lost = [line for line in before.lines() if line not in now.lines()]
    new = [line for line in now.lines() if line not in before.lines()]
    if lost or new:
        lines = [f"  was {line}" for line in lost] + [f"  now {line}" for line in new]
        raise InputError("\n".join([f"the search is not that of {sweep.path}, so it is not resumed:", *lines]))


def typed_settings(config: DictConfig) -> list[str]:
    """What was typed about the sweeper and the launcher."""
    return [str(one).lstrip("+") for one in config.hydra.overrides.hydra if not str(one).startswith("hydra.mode")]


def checked_options(given: Mapping[str, Any]) -> "Options":
    """The settings of a search; a seed that is null is drawn.

    Raises:
        InputError: if one does not exist or has no sensible value.
    """
    from atelier.runs.judge import PRUNERS, make_pruner
    from atelier.sweeps.search_methods import SAMPLERS, Options, check_names, make_sampler

    check_arguments(OWN[:-1], Options, given)
    options = Options(**given)
    if options.trials < 1:
        raise InputError(f"{OWN}trials={options.trials}: give a number above 0")
    if options.seed is None:
        options = replace(options, seed=secrets.randbelow(2**31))
    elif options.seed < 0:
        raise InputError(f"{OWN}seed={options.seed}: give a whole number of 0 or more, or null")
    check_names(options)
    for key, kind in (("sampler", SAMPLERS[options.sampler]), ("pruner", PRUNERS[options.pruner])):
        further = getattr(options, f"{key}_options") or {}
        check_arguments(f"{OWN}{key}_options", kind, further)
    make_sampler(options, 0)
    make_pruner(options.pruner, options.pruner_options or {})
    return options


def end_search(search: "Search", status: str, stopped: int) -> None:
    """Name the best trial, and leave with a status that tells how it went.

    A search that has all its trials has done its work, though some of them failed: only if none of them has a value,
    or some are missing, the status is not 0.
    """
    from atelier.sweeps.search import failures, result

    for line in failures(search):
        print(line, file=sys.stderr)
    for line in result(search, SCRIPT):
        print(line)
    if status == "interrupted":
        print(how_to_go_on(search.sweep, SCRIPT), file=sys.stderr)
    if stopped:
        sys.exit(128 + stopped)
    if status != "completed":
        sys.exit(1)
