"""A command line and a study make the space of a search: what is drawn, from which numbers and choices."""

from typing import Any

import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

from atelier.errors import InputError
from atelier.sweeps.search_space import Space

STUDY = {"grid": {"encoding": ["regression", "angles"]}, "quick": {"trainer.max_epochs": 2}}


def space(*arguments: str, study: dict[str, Any] | None = None, budget: str = "full") -> Space:
    return Space(arguments, study or {}, budget)


# ---------------------------------------------------------------------- the grammar


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("interval(0,1)", FloatDistribution(0, 1)),
        ("interval(start=2,end=3)", FloatDistribution(2, 3)),
        ("tag(log,interval(1e-4,1e-1))", FloatDistribution(1e-4, 1e-1, log=True)),
        ("tag(log,interval(1e-16,1e-6))", FloatDistribution(1e-16, 1e-6, log=True)),
        ("interval(0,1e-13)", FloatDistribution(0, 1e-13)),
        ("int(interval(1,12))", IntDistribution(1, 12)),
        ("tag(log,int(interval(16,256)))", IntDistribution(16, 256, log=True)),
        ("range(16,256,step=16)", IntDistribution(16, 240, step=16)),  # without its stop, as everywhere in Hydra
        ("tag(log,range(1,257))", IntDistribution(1, 256, log=True)),
        ("range(10,0,step=-2)", IntDistribution(2, 10, step=2)),
        ("range(0.1,0.5,step=0.1)", FloatDistribution(0.1, 0.4, step=0.1)),
        ("range(-0.3,0.05,step=0.1)", FloatDistribution(-0.3, 0.0, step=0.1)),
        ("float(range(1,5))", FloatDistribution(1, 4, step=1)),
        ("sgd,adam", CategoricalDistribution(["sgd", "adam"])),
        ("choice(2,1)", CategoricalDistribution(["2", "1"])),
        ("0.1,1e-3", CategoricalDistribution(["0.1", "0.001"])),
        ("[10,20],[]", CategoricalDistribution(["[10,20]", "[]"])),
        ("'x y',z", CategoricalDistribution(["'x y'", "z"])),
        ("1,2,1", CategoricalDistribution(["1", "2"])),
    ],
)
def test_what_is_typed_is_read_as_hydra_means_it(typed: str, meant: Any) -> None:
    assert space(f"a.b={typed}").distributions == {"a.b": meant}


@pytest.mark.parametrize("fixed", ["a=1", "a=choice(1)", "a=interval(2,2)", "a=[1,2]", "a=range(3,4)"])
def test_what_has_one_value_does_not_vary(fixed: str) -> None:
    assert list(space(fixed, "b=1,2").distributions) == ["b"]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["optimizer=sgd"], "nothing varies, so there is nothing to search"),
        (["a=1,2", "seed=0,1"], "seed varies, but a search tries each setting once: give one value, such as seed=0"),
        (["a=1,2", "data.fold=range(0,5)"], "data.fold varies, but a search tries each setting once"),
        (["a=tag(log,interval(0,1))"], r"a=tag\(log,interval\(0,1\)\): `low > 0` must hold for `log=True`"),
        (["a=tag(log,range(8,64,step=8))"], "only accept step is 1 when `log` argument is True"),
        (["a=tag(lin,interval(0,1))"], "no tag 'lin'; choose from: log"),
        (["a=interval(2,1)"], r"a=interval\(2,1\): `low <= high` must hold"),
        (["a=range(5,5)"], r"a=range\(5,5\): the range is empty"),
        (["a=interval(0,inf)"], r"a=interval\(0,inf\): the ends must be finite numbers, such as interval\(0,1\)"),
        (["a=interval(1,nan)"], r"a=interval\(1,nan\): the ends must be finite numbers"),
        (["a=range(0.0,inf)"], r"a=range\(0.0,inf\): the ends must be finite numbers"),
        (["a=shuffle(1,2,3)"], r"a=shuffle\(1,2,3\): a search ignores the order of the values"),
    ],
)
def test_a_space_that_makes_no_sense_is_refused(arguments: list[str], told: str) -> None:
    with pytest.raises(InputError, match=told):
        space(*arguments)


def test_a_study_that_varies_its_seed_is_refused_until_one_is_typed() -> None:
    study = {"grid": {"encoding": ["a", "b"], "seed": [0, 1, 2]}}
    with pytest.raises(InputError, match="seed varies, but"):
        space("study=x", study=study)
    assert space("study=x", "seed=0", study=study).swept == ["encoding"]
    with pytest.raises(InputError, match="seed varies, but"):
        space(study={"settings": [{"a": 1, "seed": 0}, {"a": 2, "seed": 1}]})


# ---------------------------------------------------------------------- jobs


def test_a_job_has_what_is_fixed_and_what_is_drawn() -> None:
    found = space("trainer=cpu", "optimizer=sgd,adam", "+optimizer.lr=tag(log,interval(1e-4,1e-1))", "a.n=range(2,9)")
    assert list(found.distributions) == ["optimizer", "optimizer.lr", "a.n"]
    job = found.job({"optimizer": "adam", "optimizer.lr": 0.0123456789, "a.n": 7})
    assert job == ["trainer=cpu", "optimizer=adam", "+optimizer.lr=0.0123457", "a.n=7"]
    assert found.swept == ["optimizer", "optimizer.lr", "a.n"]
    assert found.values(job) == {"optimizer": "adam", "optimizer.lr": "0.0123457", "a.n": "7"}
    assert found.logarithmic == ["optimizer.lr"]


def test_each_choice_and_each_end_is_checked_with_the_first_of_the_others() -> None:
    found = space("+hydra.x=1", "a=1", "b=x,y,z", "c=tag(log,int(interval(1,9)))")
    assert found.ends == [
        ["a=1", "b=x", "c=1"],
        ["a=1", "b=y", "c=1"],
        ["a=1", "b=z", "c=1"],
        ["a=1", "b=x", "c=9"],
    ]


def test_a_study_is_searched_over_its_grid() -> None:
    found = space("study=x", "optimizer.lr=interval(0,1)", study=STUDY, budget="quick")
    job = found.job({"encoding": "angles", "optimizer.lr": 0.5})
    assert job == ["study=x", "trainer.max_epochs=2", "encoding=angles", "optimizer.lr=0.5"]
    assert found.quick == {"trainer.max_epochs": "2"}


def test_what_is_typed_takes_the_place_of_a_studys_values() -> None:
    found = space("encoding=angles,one", study=STUDY)
    assert found.distributions == {"encoding": CategoricalDistribution(["angles", "one"])}


@pytest.mark.parametrize(
    "settings",
    [
        [{}, {"optimizer.weight_decay": 0.1}, {"network.dropout": 0.1}],  # as of a study's base and its changes
        [{"a.x": True}, {"a.y": True}],
        [{"a.x": "a.y=1 a.z=2"}, {"a.y": 1, "a.z": 2}],
    ],
)
def test_settings_of_different_keys_with_equal_values_are_different_choices(settings: list[dict[str, Any]]) -> None:
    found = space(study={"settings": settings})
    (drawn,) = found.distributions.values()
    assert isinstance(drawn, CategoricalDistribution)
    jobs = {tuple(found.job({"settings": choice})) for choice in drawn.choices}
    assert jobs == set(map(tuple, found.axes["settings"]))
    assert len(jobs) == len(settings)


def test_settings_of_a_study_go_together() -> None:
    study = {"settings": [{"data.length": 5, "a.b": 1}, {"data.length": 9, "a.b": 1}]}
    found = space("optimizer.lr=interval(0,1)", study=study)
    job = found.job({"settings": "data.length=9 a.b=1", "optimizer.lr": 0.25})
    assert sorted(job) == ["a.b=1", "data.length=9", "optimizer.lr=0.25"]
    assert sorted(found.swept) == ["data.length", "optimizer.lr"], "a.b is 1 in all of them"
