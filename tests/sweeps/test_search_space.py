"""A command line and a study make the space of a search: what is drawn, from which numbers and choices."""

from collections import Counter
from typing import Any

import pytest

from atelier.errors import InputError
from atelier.sweeps.search_space import ROUNDS, Choices, Numbers, Space, space_of
from atelier.sweeps.search_start import hopeless

STUDY = {"grid": {"encoding": ["regression", "angles"]}, "quick": {"trainer.max_epochs": 2}}


def space(*arguments: str, study: dict[str, Any] | None = None, budget: str = "full") -> Space:
    return space_of(arguments, study or {}, budget)


class Told:
    """A trial that draws what it is told to, and remembers what it was asked."""

    def __init__(self, **values: Any) -> None:
        self.values = {key.replace("__", "."): value for key, value in values.items()}
        self.asked: list[Any] = []

    def suggest_int(self, name: str, low: int, high: int, *, step: int = 1, log: bool = False) -> int:
        self.asked.append((name, low, high, step, log))
        return self.values[name]

    def suggest_float(
        self, name: str, low: float, high: float, *, step: float | None = None, log: bool = False
    ) -> float:
        self.asked.append((name, low, high, step, log))
        return self.values[name]

    def suggest_categorical(self, name: str, choices: Any) -> Any:
        self.asked.append((name, list(choices)))
        return self.values[name]


# ---------------------------------------------------------------------- the grammar


@pytest.mark.parametrize(
    ("typed", "low", "high", "step", "log", "whole"),
    [
        ("interval(0,1)", 0, 1, None, False, False),
        ("interval(start=2,end=3)", 2, 3, None, False, False),
        ("tag(log,interval(1e-4,1e-1))", 1e-4, 1e-1, None, True, False),
        ("int(interval(1,12))", 1, 12, None, False, True),
        ("tag(log,int(interval(16,256)))", 16, 256, None, True, True),
        ("range(16,256,step=16)", 16, 240, 16, False, True),  # without its stop, as everywhere in Hydra
        ("range(1,5)", 1, 4, None, False, True),
        ("tag(log,range(1,257))", 1, 256, None, True, True),
        ("range(10,0,step=-2)", 2, 10, 2, False, True),
        ("range(0.1,0.5,step=0.1)", 0.1, 0.4, 0.1, False, False),
        ("float(range(1,5))", 1, 4, 1, False, False),
        ("shuffle(range(1,5))", 1, 4, None, False, True),
    ],
)
def test_numbers_are_read_as_hydra_means_them(
    typed: str, low: float, high: float, step: float | None, log: bool, whole: bool
) -> None:
    (found,) = space(f"a.b={typed}").dimensions.values()
    assert found == Numbers("a.b", low, high, step, log, whole)


@pytest.mark.parametrize(
    ("typed", "labels"),
    [
        ("sgd,adam", ["sgd", "adam"]),
        ("choice(2,1)", ["2", "1"]),
        ("0.1,1e-3", ["0.1", "0.001"]),
        ("[10,20],[]", ["[10,20]", "[]"]),
        ("null,true", ["null", "True"]),
        ("'x y',z", ["'x y'", "z"]),
        ("1,2,1", ["1", "2"]),
        ("shuffle(b,a,c)", ["a", "b", "c"]),  # the same order whenever it is read
    ],
)
def test_choices_are_kept_as_they_are_typed(typed: str, labels: list[str]) -> None:
    (found,) = space(f"a={typed}").dimensions.values()
    assert found == Choices("a", [[f"a={label}"] for label in labels])


@pytest.mark.parametrize("fixed", ["a=1", "a=choice(1)", "a=interval(2,2)", "a=[1,2]", "a=range(3,4)"])
def test_what_has_one_value_does_not_vary(fixed: str) -> None:
    found = space(fixed, "b=1,2")
    assert list(found.dimensions) == ["b"]
    assert len(found.fixed) == 1


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["optimizer=sgd"], "nothing varies, so there is nothing to search"),
        (["a=1,2", "seed=0,1"], "seed: 0, 1; but a search tries each setting once, so give one value, such as seed=0"),
        (["a=1,2", "data.fold=range(0,5)"], "data.fold: whole numbers from 0 to 4; but a search tries each setting"),
        (["a=tag(log,interval(0,1))"], r"a=tag\(log,interval\(0,1\)\): on a logarithmic scale all numbers are above 0"),
        (["a=tag(log,range(8,64,step=8))"], "a logarithmic scale has no steps; for whole numbers write"),
        (["a=tag(lin,interval(0,1))"], "no tag 'lin'; choose from: log"),
        (["a=interval(2,1)"], r"a=interval\(2,1\): there is no number in it"),
        (["a=range(5,5)"], r"a=range\(5,5\): there is no number in it"),
    ],
)
def test_a_space_that_makes_no_sense_is_refused(arguments: list[str], told: str) -> None:
    with pytest.raises(InputError, match=told):
        space(*arguments)


def test_a_study_that_varies_its_seed_is_refused_until_one_is_typed() -> None:
    study = {"grid": {"encoding": ["a", "b"], "seed": [0, 1, 2]}}
    with pytest.raises(InputError, match="seed: 0, 1, 2; but"):
        space("study=x", study=study)
    assert space("study=x", "seed=0", study=study).swept == ["encoding"]
    with pytest.raises(InputError, match="the study's settings vary seed; but"):
        space(study={"settings": [{"a": 1, "seed": 0}, {"a": 2, "seed": 1}]})


# ---------------------------------------------------------------------- jobs


def test_a_job_has_what_is_fixed_and_what_is_drawn() -> None:
    found = space("trainer=cpu", "optimizer=sgd,adam", "+optimizer.lr=tag(log,interval(1e-4,1e-1))", "a.n=range(2,9)")
    trial = Told(optimizer="adam", optimizer__lr=0.0123456789, a__n=7)
    job = found.draw(trial)
    assert job == ["trainer=cpu", "optimizer=adam", "+optimizer.lr=0.0123457", "a.n=7"]
    assert trial.asked == [
        ("optimizer", ["sgd", "adam"]),
        ("optimizer.lr", 1e-4, 1e-1, None, True),
        ("a.n", 2, 8, 1, False),
    ]
    assert found.swept == ["optimizer", "optimizer.lr", "a.n"]
    assert found.values(job) == {"optimizer": "adam", "optimizer.lr": "0.0123457", "a.n": "7"}
    assert found.logarithmic == ["optimizer.lr"]


@pytest.mark.parametrize(
    ("drawn", "text"), [(1.23456449, "a=1.23457"), (1.2345649, "a=1.23457"), (2.0, "a=2.0"), (1.9999999, "a=2.0")]
)
def test_a_drawn_number_can_be_typed_again(drawn: float, text: str) -> None:
    found = space("a=interval(1.23457,2)")
    assert found.draw(Told(a=drawn)) == [text], "rounded to six digits, and never out of its range"


def test_a_study_is_searched_over_its_grid() -> None:
    found = space("study=x", "optimizer.lr=interval(0,1)", study=STUDY, budget="quick")
    job = found.draw(Told(encoding="angles", optimizer__lr=0.5))
    assert job == ["study=x", "trainer.max_epochs=2", "encoding=angles", "optimizer.lr=0.5"]
    assert found.quick == {"trainer.max_epochs": "2"}


def test_what_is_typed_takes_the_place_of_a_studys_values() -> None:
    assert space("encoding=angles,one", study=STUDY).dimensions["encoding"] == Choices(
        "encoding", [["encoding=angles"], ["encoding=one"]]
    )


def test_settings_of_a_study_go_together() -> None:
    study = {"settings": [{"data.length": 5, "a.b": 1}, {"data.length": 9, "a.b": 1}]}
    found = space("optimizer.lr=interval(0,1)", study=study)
    job = found.draw(Told(settings="data.length=9 a.b=1", optimizer__lr=0.25))
    assert sorted(job) == ["a.b=1", "data.length=9", "optimizer.lr=0.25"]
    assert sorted(found.swept) == ["data.length", "optimizer.lr"], "a.b is 1 in all of them"


# ---------------------------------------------------------------------- the corners


def test_few_corners_are_all_checked() -> None:
    found = space("optimizer=sgd,adam", "optimizer.lr=interval(0.1,1)")
    assert [found.job(corner) for corner in found.corners()] == [
        ["optimizer=sgd", "optimizer.lr=0.1"],
        ["optimizer=sgd", "optimizer.lr=1.0"],
        ["optimizer=adam", "optimizer.lr=0.1"],
        ["optimizer=adam", "optimizer.lr=1.0"],
    ]


def test_of_many_corners_each_value_is_in_some_and_meets_different_others() -> None:
    found = space("a=1,2,3,4,5,6", "b=1,2,3,4,5", "c=interval(0,1)", "d=interval(0,1)")
    jobs = [found.job(corner) for corner in found.corners()]
    assert len(jobs) == 6 * ROUNDS, "far from all 120"
    count = Counter(override for job in jobs for override in job)
    assert len(count) == 6 + 5 + 2 + 2
    assert min(count.values()) >= ROUNDS
    assert len({tuple(job) for job in jobs if "a=1" in job}) > 1


def found_by(corners: list[Any], fails: Any) -> list[dict[str, Any]]:
    return [{"problem": told} if (told := fails(corner)) else {} for corner in corners]


def test_a_value_that_can_run_nowhere_is_hopeless() -> None:
    corners = space("optimizer=sgd,adamm", "a=1,2").corners()
    found = found_by(corners, lambda one: "no adamm" if one["optimizer"] == ["optimizer=adamm"] else "")
    assert hopeless(corners, found) == ["no adamm (with optimizer=adamm a=1)"]


def test_values_that_only_do_not_go_together_are_not() -> None:
    corners = space("optimizer=sgd,adam", "a=1,2").corners()
    both = {"optimizer": ["optimizer=sgd"], "a": ["a=2"]}
    assert hopeless(corners, found_by(corners, lambda one: "too much" if one == both else "")) == []


def test_a_mistake_in_what_is_fixed_is_told_once() -> None:
    corners = space("optimizer=sgd,adam", "a=1,2").corners()
    assert hopeless(corners, found_by(corners, lambda one: "no such data")) == ["no such data (with optimizer=sgd a=1)"]
