"""Every sampler and every pruner of conf/hydra/sweeper; a wrong choice is told."""

import importlib
import importlib.util
import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from atelier.errors import InputError
from atelier.sweeps.search import Search
from atelier.sweeps.search_start import checked

Make = Callable[..., Search]
CONF = Path(__file__).parents[3] / "conf" / "hydra" / "sweeper"
SAMPLERS = sorted(file.stem for file in (CONF / "sampler").glob("*.yaml"))
FILES = sorted(CONF.glob("*/*.yaml"))
OURS = {"percentile": 25.0, "wrapped_pruner": None, "patience": 5}  # for which Optuna has no default
pytestmark = pytest.mark.filterwarnings("ignore::optuna.exceptions.ExperimentalWarning")


def options(**given: Any) -> dict[str, Any]:
    known = {"trials": 1, "seed": 0, "sampler": {"_target_": "optuna.samplers.TPESampler"}, "pruner": None}
    return {**known, **given}


@pytest.mark.parametrize("name", SAMPLERS)
def test_every_sampler_draws_within_the_space(search: Make, name: str, run_all: Any) -> None:
    if name == "cmaes" and importlib.util.find_spec("cmaes") is None:
        node = {"_target_": "optuna.samplers.CmaEsSampler"}
        with pytest.raises(InputError, match="sampler=cmaes needs the package cmaes: pip install cmaes"):
            checked(options(sampler=node))
        return
    few = {"n_startup_trials": 6} if name in ("tpe", "gp") else {}
    space = ("best=interval(0.25,0.5)", "n=tag(log,int(interval(1,64)))", "size=range(16,65,step=16)", "kind=a,b,c")
    one = search(*space, trials=8, sampler=name, sampler_options=few)
    jobs = [dict(override.split("=") for override in job) for job in run_all(one)]
    assert len(jobs) == 8
    assert all(0.25 <= float(job["best"]) <= 0.5 for job in jobs)
    assert len({job["best"] for job in jobs}) > 5
    assert {int(job["n"]) for job in jobs} <= set(range(1, 65))
    assert {job["size"] for job in jobs} <= {"16", "32", "48", "64"}
    assert {job["kind"] for job in jobs} <= {"a", "b", "c"}
    assert len({job["kind"] for job in jobs}) > 1
    assert one.counts() == {"completed": 8}


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_what_a_file_says_is_optunas_own_default(file: Path) -> None:
    module, _, name = yaml.safe_load(file.read_text()).pop("_target_").rpartition(".")
    parameters = inspect.signature(getattr(importlib.import_module(module), name)).parameters
    for key, value in yaml.safe_load(file.read_text()).items():
        if key != "_target_":
            assert value == OURS.get(key, parameters[key].default), key


@pytest.mark.parametrize("file", sorted((CONF / "pruner").glob("*.yaml")), ids=lambda file: file.stem)
def test_every_pruner_can_be_had(file: Path) -> None:
    limit = {"upper": 1.0} if file.stem == "threshold" else {}
    node = {**yaml.safe_load(file.read_text()), **limit}
    made = checked(options(pruner=node)).make_pruner()
    assert f"optuna.pruners.{type(made).__name__}" == node["_target_"]


def test_a_pruner_may_wrap_another() -> None:
    inner = {"_target_": "optuna.pruners.MedianPruner"}
    node = {"_target_": "optuna.pruners.PatientPruner", "patience": 2, "wrapped_pruner": inner}
    assert type(checked(options(pruner=node)).make_pruner()).__name__ == "PatientPruner"


def tpe(**more: Any) -> dict[str, Any]:
    return {"_target_": "optuna.samplers.TPESampler", **more}


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"sampler": "random"}, "hydra.sweeper.sampler=random: choose it as hydra/sweeper/sampler=random"),
        ({"pruner": "median"}, "hydra.sweeper.pruner=median: choose it as hydra/sweeper/pruner=median"),
        ({"sampler": tpe(n_startup=1)}, "sampler.n_startup: TPESampler has no 'n_startup'; choose from: n_startup_"),
        ({"sampler": tpe(n_startup_trials="few")}, "n_startup_trials=few: TPESampler takes a whole number"),
        ({"sampler": tpe(seed=1)}, "hydra.sweeper.sampler.seed: give it as hydra.sweeper.seed"),
        ({"sampler": {"_target_": "os.system"}}, "hydra.sweeper.sampler._target_=os.system: not allowed"),
        ({"pruner": {"_target_": "optuna.pruners.MedianPruner", "n_warmup_steps": -1}}, "steps cannot be negative"),
        ({"pruner": {"_target_": "optuna.pruners.ThresholdPruner"}}, "Either lower or upper must be specified"),
        ({"trials": 0}, "hydra.sweeper.trials=0: give a whole number of 1 or more"),
        ({"trials": "x"}, "hydra.sweeper.trials=x: give a whole number of 1 or more"),
        ({"trial": 1}, "hydra.sweeper.trial: no 'trial'; choose from: trials, "),
        ({"seed": -1}, "hydra.sweeper.seed=-1: give a whole number of 0 or more"),
    ],
)
def test_a_wrong_option_is_told(given: dict[str, Any], told: str) -> None:
    with pytest.raises(InputError, match=told):
        checked(options(**given))


def test_a_seed_that_is_null_is_drawn() -> None:
    assert checked(options(seed=None)).seed != checked(options(seed=None)).seed
