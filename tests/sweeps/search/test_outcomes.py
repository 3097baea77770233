"""How trials ended: what Optuna is told of it, and what the user."""

from collections.abc import Callable
from typing import Any

import pytest

from atelier.sweeps.search import Search

NAN = float("nan")
Make = Callable[..., Search]


def test_what_is_told_of_each_end(search: Make, end: Any, states: Any) -> None:
    one = search(trials=8)
    jobs = one.jobs()
    end(one, next(jobs), 0.5)
    end(one, next(jobs), None, "failed", error={"type": "RuntimeError", "message": "it broke"})
    end(one, next(jobs), NAN)
    end(one, next(jobs), None)
    end(one, next(jobs), float("inf"))
    end(one, next(jobs), 0.25, pruned=True)
    end(one, next(jobs), 0.125, "interrupted")
    end(one, next(jobs), 0.75, pruned=False)
    assert list(jobs) == []
    told = [("COMPLETE", 0.5), *[("FAIL", None)] * 4, ("PRUNED", None), ("RUNNING", None), ("COMPLETE", 0.75)]
    assert states(one) == told
    assert one.conclude() == "interrupted", "all have begun, but one has not ended"
    never = [line.partition(",")[0] for line in one.result() if "never a finite number" in line]
    assert never == ["trial 2", "trial 3", "trial 4"], "what went wrong in trial 1 is told elsewhere"
    assert [(job.number, job.facts["trial"]) for job in one.sweep.jobs] == [(n, n) for n in range(8)]


@pytest.mark.parametrize(("mode", "best"), [("min", 2), ("max", 1)])
def test_the_best_is_that_of_the_best_epochs(search: Make, mode: str, best: int, end: Any) -> None:
    one = search(trials=4, mode=mode)
    for job, value in zip(one.jobs(), (0.5, 0.9, 0.1, NAN), strict=True):
        end(one, job, value)
    job = one.best()
    assert job is not None
    assert job.number == best
    assert one.result() == [
        "4 trials: 3 completed, 1 failed",
        f"trial 3, {one.sweep.jobs[3].name}: val/loss was never a finite number",
        f"The best is trial {best}: val/loss {(0.1, 0.9)[mode == 'max']} at epoch 3 with {job.name}",
        f"Train that setting again: python src/train.py {' '.join(job.overrides)}",
    ]
    assert one.conclude() == "completed"


def test_the_best_of_trainings_that_count_steps_is_at_a_step(search: Make, end: Any) -> None:
    one = search(trials=1)
    objective = {"metric": "val/loss", "mode": "min", "best": 0.5, "best_epoch": 0, "best_step": 120}
    end(one, next(one.jobs()), objective=objective, counts="steps")
    assert one.result()[1].startswith("The best is trial 0: val/loss 0.5 at step 120 with ")


def test_a_trial_that_cannot_run_is_recorded_and_the_search_goes_on(
    search: Make, capsys: pytest.CaptureFixture[str], run_all: Any
) -> None:
    one = search("best=interval(0,1)", "kind=good,bad", trials=8, sampler="random")
    done = run_all(one)
    bad = [job for job in one.sweep.jobs if "kind=bad" in job.overrides]
    assert len(done) + len(bad) == 8
    assert bad
    record = one.sweep.record(bad[0])
    assert record["status"] == "failed"
    assert record["error"] == {"type": "InputError", "message": "kind=bad: it cannot be"}
    assert one.counts() == {"completed": len(done), "failed": len(bad)}
    assert f"job {bad[0].number} failed: {bad[0].name}: kind=bad: it cannot be" in capsys.readouterr().out
    assert one.conclude() == "completed"


def test_a_search_without_any_value_has_failed(search: Make, end: Any) -> None:
    one = search(trials=2)
    for job, best in zip(one.jobs(), (NAN, 0.5), strict=True):
        end(one, job, best, pruned=best == 0.5)
    assert one.conclude() == "failed"
    assert one.best() is None
    assert one.result()[0] == "2 trials: 1 pruned, 1 failed"


def test_a_search_that_ends_before_its_last_trial_is_not_complete(search: Make, end: Any) -> None:
    one = search(trials=2)
    end(one, next(one.jobs()), 0.5)
    assert one.conclude() == "interrupted"
    assert one.sweep.conclude() == "interrupted", "what the loop writes if no further trial can be begun"


def test_a_setting_that_is_drawn_again_is_not_trained_again(search: Make, run_all: Any) -> None:
    one = search("best=0.5,0.25", trials=10)
    done = run_all(one)
    assert sorted(done) == [["best=0.25"], ["best=0.5"]]
    assert one.counts() == {"completed": 10}
    values = [trial.value for trial in one.study.get_trials()]
    assert values == [float(trial.params["best"]) for trial in one.study.get_trials()]
    best = one.best()
    assert best is not None
    assert best.overrides == ["best=0.25"]


def test_a_setting_that_is_drawn_again_before_it_has_a_result_is_trained(search: Make) -> None:
    one = search("best=0.5,0.25", trials=6)
    assert [job.number for job in one.jobs()] == [0, 1, 2, 3, 4, 5]
