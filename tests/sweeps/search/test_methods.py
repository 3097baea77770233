"""Every sampler and every pruner that can be chosen; a wrong choice is told."""

import importlib.util
from collections.abc import Callable
from typing import Any

import pytest

from atelier.errors import InputError
from atelier.runs.judge import PRUNERS, make_pruner
from atelier.sweeps.search import Search
from atelier.sweeps.search_methods import NEEDS, SAMPLERS, Options, check_names, make_sampler

Make = Callable[..., Search]


@pytest.mark.parametrize("name", SAMPLERS)
def test_every_sampler_draws_within_the_space(search: Make, name: str, run_all: Any) -> None:
    package = NEEDS.get(name)
    if package and importlib.util.find_spec(package) is None:
        with pytest.raises(InputError, match=f"hydra.sweeper.sampler={name} needs the package {package}"):
            check_names(Options(sampler=name))
        return
    options = {"n_startup_trials": 6} if name in ("tpe", "gp") else {}
    space = ("best=interval(0.25,0.5)", "n=tag(log,int(interval(1,64)))", "size=range(16,65,step=16)", "kind=a,b,c")
    one = search(*space, trials=8, sampler=name, sampler_options=options)
    jobs = [dict(override.split("=") for override in job) for job in run_all(one)]
    assert len(jobs) == 8
    assert all(0.25 <= float(job["best"]) <= 0.5 for job in jobs)
    assert len({job["best"] for job in jobs}) > 5
    assert {int(job["n"]) for job in jobs} <= set(range(1, 65))
    assert {job["size"] for job in jobs} <= {"16", "32", "48", "64"}
    assert {job["kind"] for job in jobs} <= {"a", "b", "c"}
    assert len({job["kind"] for job in jobs}) > 1
    assert one.counts() == {"completed": 8}


def test_a_sampler_without_its_package_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"hydra\.sweeper\.sampler=gp needs the package scipy: pip install scipy"):
        check_names(Options(sampler="gp"))
    check_names(Options(sampler="tpe"))


@pytest.mark.parametrize("name", PRUNERS)
def test_every_pruner_can_be_had(name: str) -> None:
    needed = {"percentile": {"percentile": 25.0}, "threshold": {"upper": 1.0}, "patient": {"patience": 2}}
    assert type(make_pruner(name, needed.get(name, {}))) is PRUNERS[name]


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"sampler": "tpee"}, "hydra.sweeper.sampler=tpee: choose from: tpe, random, "),
        ({"sampler": "grid"}, "cmaes, gp, qmc; hydra/sweeper=grid does every combination"),
        ({"pruner": "meridian"}, "hydra.sweeper.pruner=meridian: choose from: none, median, "),
        ({"pruner": "percentile"}, "hydra.sweeper.pruner=percentile with pruner_options={}: missing .* 'percentile'"),
        ({"pruner": "median", "pruner_options": {"n_warmup_steps": -1}}, "Number of warmup steps cannot be negative"),
        ({"sampler_options": {"seed": 1}}, "hydra.sweeper.sampler=tpe with sampler_options={'seed': 1}: "),
    ],
)
def test_a_wrong_method_is_told(options: dict[str, Any], told: str) -> None:
    def check() -> None:
        check_names(Options(**options))
        make_sampler(Options(**options), 0)
        make_pruner(options.get("pruner", "none"), options.get("pruner_options", {}))

    with pytest.raises(InputError, match=told):
        check()
