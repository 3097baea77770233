"""Opens the search of a command, a new search or a search to resume, and checks its options."""

import functools
import importlib.util
import os
import re
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from atelier.arguments import check_arguments
from atelier.compose.preflight import check_job
from atelier.compose.targets import check, plain
from atelier.errors import InputError
from atelier.sweeps.grid import by_key
from atelier.sweeps.preflight import Check, check_all, preflight
from atelier.sweeps.search import Options, Search
from atelier.sweeps.search_space import Space
from atelier.sweeps.start import new_sweep, study_of, take_up
from atelier.sweeps.sweep import Sweep


def open_search(config: DictConfig, arguments: Sequence[str], root: Path, gpus: int | None) -> Search:
    """The search of `train.py -m`; the arguments are those of `open_sweep`.

    Raises:
        InputError: if an option or a range is invalid, a job cannot run, or the search to resume has another command.
    """
    check = functools.partial(check_job, root, dict(os.environ), gpus)
    given = {key: value for key, value in plain(config.hydra.sweeper).items() if not key.startswith("_")}
    typed = [str(one) for one in config.hydra.overrides.hydra if not str(one).startswith("hydra.mode")]
    if config.sweep.resume is None:
        sweep = begun(config, [*typed, *arguments], checked(given), functools.partial(check, ()))
    else:
        parts = re.findall(r"hydra[./]sweeper[./](\w+)", "\n".join(typed))  # a typed key replaces the whole part
        options = {part: given[part] for part in parts if part in given}
        sweep = resumed(config, arguments, options, functools.partial(check, ()))
    check_trial = functools.partial(check, sweep.content["swept"])
    return Search(sweep, lambda job: check_all(check_trial, [job], interrupted=False)[0])


def begun(config: DictConfig, command: Sequence[str], options: Options, check_a_job: Check) -> Sweep:
    study = study_of(config)
    space = Space(command, study, config.budget)
    print(f"A search over {', '.join(space.swept)}: checking its ends ...", flush=True)
    first, *others = (facts["objective"] for facts in preflight(check_a_job, space.ends))
    if other := next((one for one in others if one != first), None):
        told = " and ".join(f"{one['metric']} ({one['mode']})" for one in (first, other))
        raise InputError(f"the settings have different objectives, {told}; a search needs one: give task.metric=NAME")
    figures = [{"kind": "search", "logarithmic": space.logarithmic}, *(study.get("figures") or [])]
    about = {"swept": space.swept, "quick": space.quick, "search": asdict(options)}
    return new_sweep(config, command, [], objective=first, presentation={**study, "figures": figures}, **about)


def resumed(config: DictConfig, arguments: Sequence[str], options: Mapping[str, Any], check_a_job: Check) -> Sweep:
    """The sweep of the search to resume, with the options that are typed now."""
    sweep = Sweep.open(str(config.sweep.resume), Path(config.paths.logs))
    if not sweep.search:
        raise InputError(f"{sweep.path} is a grid; resume it without hydra/sweeper=optuna")
    before, now = (" ".join(sorted(by_key(command).values())) for command in (sweep.manifest["command"], arguments))
    if now and now != before:
        raise InputError(f"{sweep.path} is another search, so it is not resumed:\n  was {before}\n  now {now}")
    search = checked({**sweep.search, **options})
    take_up(sweep, config, check_a_job, search=asdict(search))
    print(f"{sweep.path}: going on to {search.trials} trials", flush=True)
    return sweep


def checked(given: Mapping[str, Any]) -> Options:
    """The options of a search; `seed: null` is replaced by a random seed.

    Raises:
        InputError: for an unknown key, a wrong value, or a missing package.
    """
    for part in ("sampler", "pruner"):
        if isinstance(name := given[part], str):
            raise InputError(f"hydra.sweeper.{part}={name}: choose it as hydra/sweeper/{part}={name}")
    given = {**given, "seed": secrets.randbelow(2**31) if given["seed"] is None else given["seed"]}
    check_arguments("hydra.sweeper", Options, given, owner="")
    check(OmegaConf.create({"hydra": {"sweeper": given}}))
    options = Options(**given)
    if "seed" in options.sampler:
        raise InputError("hydra.sweeper.sampler.seed: give it as hydra.sweeper.seed")
    if options.sampler["_target_"].endswith("CmaEsSampler") and importlib.util.find_spec("cmaes") is None:
        raise InputError("hydra/sweeper/sampler=cmaes needs the package cmaes: pip install cmaes")
    try:
        options.make_sampler(0), options.make_pruner()
    except TypeError as error:  # arguments that contradict each other
        raise InputError(f"hydra.sweeper: {error}") from error
    return options
