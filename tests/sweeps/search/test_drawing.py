"""What a search draws: fixed by its seed, also when it is resumed, and nearer and nearer to what is good."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from atelier.sweeps.search import Search
from atelier.sweeps.search_space import Space

Make = Callable[..., Search]
# So few random trials that those after them are drawn by what was found.
FEW: dict[str, dict[str, Any]] = {"tpe": {"n_startup_trials": 2}, "nsga2": {"population_size": 3}, "random": {}}


@pytest.mark.parametrize("sampler", ["tpe", "random"])
def test_a_seed_fixes_the_trials(tmp_path: Path, sampler: str, search_in: Make, run_all: Any) -> None:
    one, same, other = (
        run_all(search_in(tmp_path / str(number), trials=6, sampler=sampler, seed=seed, sampler_options=FEW[sampler]))
        for number, seed in enumerate((3, 3, 4))
    )
    assert one == same != other
    assert len({tuple(job) for job in one}) == 6


@pytest.mark.parametrize("sampler", ["tpe", "random", "nsga2"])
def test_a_resumed_search_draws_what_it_would_have_drawn(
    tmp_path: Path, sampler: str, search_in: Make, run_all: Any
) -> None:
    options = {"trials": 8, "sampler": sampler, "sampler_options": FEW[sampler]}
    whole = run_all(search_in(tmp_path / "whole", **options))
    first = run_all(search_in(tmp_path / "stopped", **options), give_up=5)
    rest = run_all(search_in(tmp_path / "stopped", **options))
    assert first + rest == whole


@pytest.mark.filterwarnings("ignore::optuna.exceptions.ExperimentalWarning")
def test_a_quasi_random_search_fills_the_space_evenly(search: Make, run_all: Any) -> None:
    """Sobol's sequence begins with the second trial, and has a number in each eighth, also if it is scrambled."""
    drawn = run_all(search("best=interval(0,1)", trials=9, sampler="qmc", sampler_options={"scramble": True}))
    assert sorted(int(8 * float(job[0].removeprefix("best="))) for job in drawn[1:]) == list(range(8))


def test_a_search_finds_what_is_good(tmp_path: Path, search_in: Make, run_all: Any) -> None:
    """Of 30 draws the best ten percent of the space are found, and most late draws lie near."""
    drawn = [float(job[1].removeprefix("best=")) for job in run_all(search_in(tmp_path / "s", trials=30))]
    assert min(drawn) < 0.05
    assert sum(value < 0.3 for value in drawn[15:]) >= 10


def test_a_setting_has_the_values_that_it_composes_to_where_it_sets_none(search: Make) -> None:
    one = search(trials=9)
    one.space = Space(["do=well"], {"settings": [{"best": 0.5}, {"kind": "b", "best": 0.5}]}, "full")
    jobs = [one.begin(one.study.ask(one.space.distributions)) for _ in range(9)]
    found = {("kind=b" in job.overrides, job.values["kind"]) for job in jobs if job}
    assert found == {(True, "b"), (False, "usual")}


def test_more_trials_may_be_asked_for_later(search: Make, run_all: Any) -> None:
    assert len(run_all(search(trials=3))) == 3
    assert run_all(search(trials=3)) == []
    again = search(trials=5)
    assert len(run_all(again)) == 2
    assert [job.number for job in again.sweep.jobs] == [0, 1, 2, 3, 4]
