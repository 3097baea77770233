"""A search goes on after whatever happened: no trial is lost, none told twice, and its journal stays whole."""

import shutil
from collections.abc import Callable
from typing import Any

import optuna
import pytest

from atelier.errors import InputError
from atelier.runs.judge import JOURNAL, mend, open_journal
from atelier.sweeps.search import Search

Make = Callable[..., Search]


def test_what_was_interrupted_goes_on_and_what_ended_unheard_is_told_once(search: Make, end: Any, states: Any) -> None:
    one = search(trials=6)
    jobs = one.jobs()
    first, second, third, fourth = (next(jobs) for _ in range(4))
    end(one, first, 0.5)
    end(one, second, 0.25, "interrupted")
    heard = one.done
    one.done = lambda job, status: None  # type: ignore[method-assign]  # the sweep is killed before it hears of it
    end(one, third, 0.75)
    end(one, fourth, None, "failed")
    one.done = heard  # type: ignore[method-assign]
    again = search(trials=6)
    todo = again.jobs()
    assert next(todo).number == second.number
    end(again, again.sweep.jobs[1], 0.125)
    assert next(todo).number == 4
    ended = [("COMPLETE", 0.5), ("COMPLETE", 0.125), ("COMPLETE", 0.75), ("FAIL", None)]
    assert states(again) == [*ended, ("RUNNING", None)]
    again.done(first, "completed")
    assert states(again)[0] == ("COMPLETE", 0.5), "told twice, it counts once"


def test_a_trial_whose_job_was_not_written_is_not_lost(search: Make, run_all: Any) -> None:
    whole = run_all(search(trials=3))
    one = search(trials=4)
    one.study.sampler = one.options.make_sampler(3)
    trial = one.study.ask()
    drawn = trial.suggest_float("best", 0, 1)  # killed here: of two values one is drawn
    again = search(trials=4)
    (job,) = again.jobs()
    assert (job.number, job.values["best"]) == (3, str(float(f"{drawn:.6g}")))
    assert job.values["kind"] in ("a", "b")
    assert job.overrides not in whole


def test_a_best_trial_whose_folder_somebody_deleted_is_told_as_the_journal_has_it(search: Make, run_all: Any) -> None:
    run_all(one := search(trials=3))
    best = one.best()
    assert best is not None
    told = f"The best is trial {best.number}: val/loss {float(best.values['best']):.6g}"
    assert f"{told} at epoch 3 with {best.name}" in one.result()
    shutil.rmtree(one.sweep.path / str(best.number))
    assert f"{told} with {best.name}" in search(trials=3).result()


@pytest.mark.parametrize("lines", [0, 1])
def test_a_search_whose_journal_is_gone_is_not_gone_on_with(search: Make, run_all: Any, lines: int) -> None:
    """Its trials would have the numbers of other jobs, and get their results."""
    run_all(one := search(trials=3))
    journal = one.sweep.path / JOURNAL
    journal.write_text("".join(journal.read_text().splitlines(keepends=True)[:lines]))
    with pytest.raises(InputError, match=r"search\.journal is gone, or does not know trial 0 of sweep\.json"):
        search(trials=4)


def test_a_torn_line_is_cut_off(search: Make, run_all: Any) -> None:
    run_all(one := search(trials=3))
    journal = one.sweep.path / JOURNAL
    whole = journal.read_bytes()
    journal.write_bytes(whole + b'{"op_code":4,"worker')
    mend(one.sweep.path)
    assert journal.read_bytes() == whole
    assert [path.name for path in one.sweep.path.glob("search*")] == [JOURNAL], "the lock is let go"
    assert len(run_all(search(trials=4))) == 1


def test_the_journal_is_read_by_optuna_itself(search: Make, run_all: Any) -> None:
    run_all(one := search(trials=3))
    (name,) = optuna.get_all_study_names(storage=open_journal(one.sweep.path))
    assert len(optuna.load_study(study_name=name, storage=open_journal(one.sweep.path)).trials) == 3
