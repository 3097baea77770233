"""Optuna's samplers and pruners by name, with what a user can set of them."""

import importlib.util
from dataclasses import dataclass
from typing import Any

import numpy as np
import optuna
from optuna.samplers import BaseSampler

from atelier.errors import InputError
from atelier.runs.judge import PRUNERS, make

SAMPLERS: dict[str, type[BaseSampler]] = {
    "tpe": optuna.samplers.TPESampler,
    "random": optuna.samplers.RandomSampler,
    "nsga2": optuna.samplers.NSGAIISampler,
    "cmaes": optuna.samplers.CmaEsSampler,
    "gp": optuna.samplers.GPSampler,
    "qmc": optuna.samplers.QMCSampler,
}
NEEDS = {"cmaes": "cmaes", "gp": "scipy", "qmc": "scipy"}  # packages that the extra `optuna` does not bring
ONE_SEQUENCE = ("qmc",)  # samplers whose trials together are one sequence, which the seed fixes


@dataclass(frozen=True)
class Options:
    """How a search goes about it.

    Args:
        trials: how many in all, the failed and the pruned ones too.
        sampler: a name of `SAMPLERS`.
        seed: of the sampler; None for one that is not known before.
        sampler_options: further arguments of the sampler.
        pruner: a name of `PRUNERS`.
        pruner_options: further arguments of the pruner.
    """

    trials: int = 20
    sampler: str = "tpe"
    seed: int | None = 0
    sampler_options: dict[str, Any] | None = None
    pruner: str = "none"
    pruner_options: dict[str, Any] | None = None


def check_names(options: Options) -> None:
    """
    Raises:
        InputError: for a name that does not exist, or a sampler whose package is not installed.
    """
    for key, name, known in (("sampler", options.sampler, SAMPLERS), ("pruner", options.pruner, PRUNERS)):
        if name not in known:
            hint = "; hydra/sweeper=grid does every combination" if (key, name) == ("sampler", "grid") else ""
            raise InputError(f"hydra.sweeper.{key}={name}: choose from: {', '.join(known)}{hint}")
    package = NEEDS.get(options.sampler)
    if package and importlib.util.find_spec(package) is None:
        raise InputError(f"hydra.sweeper.sampler={options.sampler} needs the package {package}: pip install {package}")


def make_sampler(options: Options, trial: int) -> BaseSampler:
    """The sampler for the trial of that number.

    Each trial's random numbers follow from the seed and its own number alone, so that a search that was stopped and
    resumed draws what it would have drawn.

    Raises:
        InputError: if the sampler does not take the options.
    """
    seed = int(np.random.SeedSequence([options.seed or 0, trial]).generate_state(1)[0])
    given: dict[str, Any] = {"seed": seed}
    if options.sampler in ONE_SEQUENCE:
        given = {"seed": options.seed, "independent_sampler": optuna.samplers.RandomSampler(seed)}
    return make("sampler", options.sampler, SAMPLERS[options.sampler], given, options.sampler_options or {})
