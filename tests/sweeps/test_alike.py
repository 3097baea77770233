"""Two jobs of a sweep that are one training, typed in two ways, are told before they start."""

from collections.abc import Callable
from typing import Any

import pytest

from atelier.sweeps.sweep import Job
from hydra_plugins.atelier_sweeps import alike

Run = Callable[..., Any]


def job(number: int, *overrides: str, setting: str = "a", seed: int = 0) -> Job:
    return Job(number, list(overrides), {"lr": str(number)}, {"config_hash": setting, "seed": seed})


@pytest.mark.parametrize(
    ("jobs", "told"),
    [
        ([job(0), job(1, "seed=0")], ["jobs 0 (lr=0) and 1 (lr=1 seed=0)"]),
        ([job(0), job(1), job(2)], ["jobs 0 (lr=0) and 1 (lr=1)", "jobs 0 (lr=0) and 2 (lr=2)"]),
        ([job(0, "data.fold=0"), job(1, "data.fold=0")], ["jobs 0 (lr=0 data.fold=0) and 1 (lr=1 data.fold=0)"]),
        ([job(0, "data.fold=0"), job(1, "data.fold=1"), job(2, "data.draw=1")], []),
        ([job(0), job(1, seed=1), job(2, setting="b")], []),
    ],
)
def test_jobs_of_one_training_are_named(jobs: list[Job], told: list[str]) -> None:
    assert list(alike(jobs)) == [f"Beware: {one} are the same training, which counts twice in means" for one in told]


def test_a_sweep_tells_it_before_its_first_job(run_verb: Run, tiny: list[str]) -> None:
    swept = run_verb(
        "train",
        "-m",
        *tiny,
        "callbacks=none",
        "optimizer=adam",
        "+study.settings=[{},{optimizer.lr:0.001}]",
        "test=false",
    )
    assert swept.code == 0, swept.err
    lines = swept.out.splitlines()
    assert [line.partition(":")[0] for line in lines[:3]] == ["2 jobs", "Beware", "job 0 started"]
