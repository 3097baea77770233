"""Which trials are hopeless, and what becomes of the pruned ones."""

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from optuna.trial import TrialState

from atelier.compose.targets import make
from atelier.report.table import runs_told
from atelier.runs.judge import Judge
from atelier.sweeps.aggregate import aggregate
from atelier.sweeps.search import Search

NAN = float("nan")
Make = Callable[..., Search]


def judge_of(folder: Path, trial: int) -> Judge:
    return Judge(folder, trial, functools.partial(make, ""))


@pytest.fixture
def judged(search: Make, end: Any) -> Callable[[int], Judge]:
    """A search with the median pruner, whose trials 0 and 1 gave 3, 2, 1 and 5, 4, 3; trial 2 is running."""
    one = search(trials=3, pruner="median", pruner_options={"n_startup_trials": 2})
    for job, values in zip(one.jobs(), ([3, 2, 1], [5, 4, 3], []), strict=True):
        judge = judge_of(one.sweep.path, job.number)
        assert not any(judge.hopeless(step, value) for step, value in enumerate(values))
        if values:
            end(one, job, min(values))
    return lambda number: judge_of(one.sweep.path, number)


def test_a_trial_below_the_median_is_hopeless(judged: Callable[[int], Judge]) -> None:
    judge = judged(2)
    assert not judge.hopeless(0, 3.9), "the median of 3 and 5 is 4"
    assert judge.hopeless(1, 3.5), "that of 2 and 4 is 3"


def test_a_step_is_reported_once(judged: Callable[[int], Judge], search: Make) -> None:
    judged(2).hopeless(0, 1.0)
    judged(2).hopeless(0, 7.0)  # a resumed run does its last epoch again
    judged(2).hopeless(1, 2.0)
    (running,) = search(trials=3).study.get_trials(states=(TrialState.RUNNING,))
    assert running.intermediate_values == {0: 1.0, 1: 2.0}


def test_a_value_that_is_no_number_is_hopeless(judged: Callable[[int], Judge]) -> None:
    assert judged(2).hopeless(0, NAN)


def test_a_run_that_goes_on_after_its_search_is_not_judged(judged: Callable[[int], Judge], tmp_path: Path) -> None:
    assert not judged(0).hopeless(9, 99.0), "its trial is over"
    assert not judge_of(tmp_path / "nowhere", 0).hopeless(0, 99.0)
    assert not (tmp_path / "nowhere").exists()


def test_a_search_that_goes_on_without_a_pruner_prunes_no_trial(search: Make, end: Any) -> None:
    one = search(trials=6, pruner="median")
    for job, value in zip(one.jobs(), [1.0] * 5 + [99.0], strict=True):
        if value == 99.0:
            assert judge_of(one.sweep.path, job.number).hopeless(0, value)
            search(trials=6, pruner=None)  # hydra.sweeper.pruner=null
        assert not judge_of(one.sweep.path, job.number).hopeless(0, value)
        if value == 1.0:
            end(one, job, value)


def test_a_job_is_told_its_trial_only_if_the_search_prunes(tmp_path: Path, search_in: Make) -> None:
    for pruner, told in ((None, False), ("median", True)):
        one = search_in(tmp_path / str(told), trials=1, pruner=pruner)
        (job,) = one.jobs()
        assert ("sweep.trial=0" in one.sweep.arguments(job)) is told


def test_pruned_runs_are_told_apart_and_count_in_no_mean(search: Make, end: Any) -> None:
    one = search(trials=2)
    jobs = one.jobs()
    end(one, next(jobs), 0.5)
    end(one, next(jobs), 0.25, pruned=True)
    good, pruned = aggregate([one.sweep.path]).settings
    assert (good.objective.mean, runs_told(good)) == (0.5, "1")
    assert (pruned.objective.mean, runs_told(pruned)) == (None, "0 of 1, 1 pruned")
