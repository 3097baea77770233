"""A search: what it draws, what it tells Optuna, and that it goes on after whatever happened."""

import importlib.util
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import optuna
import pytest
from optuna.trial import TrialState

from atelier.errors import InputError
from atelier.report.table import runs_told
from atelier.sweeps.aggregate import aggregate
from atelier.sweeps.pool import Limits, Pool
from atelier.sweeps.process import warm_context
from atelier.sweeps.search import Search, failures, result
from atelier.sweeps.search_journal import JOURNAL, mend, open_journal
from atelier.sweeps.search_judge import Judge
from atelier.sweeps.search_methods import NEEDS, PRUNERS, SAMPLERS, Options, check_names, make_pruner, make_sampler
from atelier.sweeps.search_space import space_of
from atelier.sweeps.sweep import Job, Sweep
from atelier.sweeps.watch import Lines

NAN = float("nan")
SPACE = ("do=well", "best=interval(0,1)", "kind=a,b")
# So few random trials that those after them are drawn by what was found.
FEW: dict[str, dict[str, Any]] = {"tpe": {"n_startup_trials": 2}, "nsga2": {"population_size": 3}, "random": {}}
Make = Callable[..., Search]


def facts(overrides: list[str]) -> dict[str, Any]:
    """What the preflight finds: all is well, but for kind=bad."""
    if "kind=bad" in overrides:
        return {"problem": "kind=bad: it cannot be"}
    known = {"seed": 0, "config_hash": " ".join(overrides), "experiment": "x", "accelerator": "cpu", "devices": 1}
    return {**known, "gpus": 0, "epochs": 1, "objective": {"metric": "val/loss", "mode": "min"}}


def search_in(folder: Path, *arguments: str, mode: str = "min", **options: Any) -> Search:
    """A search in `folder`, a new one or the one that is there already."""
    chosen = Options(**options)
    space = space_of(arguments or SPACE, {}, "full")
    if folder.exists():
        return Search(Sweep.open(str(folder), Path()), space, chosen, facts)
    about = {"study": None, "experiment": "x", "budget": "full", "command": list(arguments), "swept": space.swept}
    objective = {"metric": "val/loss", "mode": mode}
    sweep = Sweep.create(folder, [], **about, objective=objective, presentation={}, quick={}, search=asdict(chosen))
    return Search(sweep, space, chosen, facts)


@pytest.fixture
def search(tmp_path: Path) -> Make:
    """`search("a=interval(0,1)", trials=3)`: a search in a folder of its own; again, the one that it was."""

    def make(*arguments: str, **options: Any) -> Search:
        return search_in(tmp_path / "search", *arguments, **options)

    return make


def end(search: Search, job: Job, best: float | None = None, status: str = "completed", **more: Any) -> None:
    """Let a job end: its run.json, and the word to the search."""
    folder = search.sweep.folder(job).path
    folder.mkdir(exist_ok=True)
    mode = search.sweep.manifest["objective"]["mode"]
    objective = {"metric": "val/loss", "mode": mode, "best": best, "best_epoch": 2}
    record = {"status": status, "objective": objective, "overrides": job.overrides, "error": None, **more}
    (folder / "run.json").write_text(json.dumps(record))
    search.done(job, status)


def run_all(search: Search, give_up: int = 99) -> list[list[str]]:
    """Do the jobs one after the other, each with the objective that it was drawn for; their overrides."""
    done = []
    for job in search.jobs():
        if len(done) == give_up:
            break
        end(search, job, float(job.values["best"]))
        done.append(job.overrides)
    return done


def states(search: Search) -> list[tuple[str, float | None]]:
    return [(trial.state.name, trial.value) for trial in search.study.get_trials()]


# ---------------------------------------------------------------------- samplers and pruners


@pytest.mark.parametrize("name", SAMPLERS)
def test_every_sampler_draws_within_the_space(search: Make, name: str) -> None:
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
    assert type(make_pruner(Options(pruner=name, pruner_options=needed.get(name)))) is PRUNERS[name]


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
        make_pruner(Options(**options))

    with pytest.raises(InputError, match=told):
        check()


# ---------------------------------------------------------------------- what is drawn


@pytest.mark.parametrize("sampler", ["tpe", "random"])
def test_a_seed_fixes_the_trials(tmp_path: Path, sampler: str) -> None:
    one, same, other = (
        run_all(search_in(tmp_path / str(number), trials=6, sampler=sampler, seed=seed, sampler_options=FEW[sampler]))
        for number, seed in enumerate((3, 3, 4))
    )
    assert one == same != other
    assert len({tuple(job) for job in one}) == 6


@pytest.mark.parametrize("sampler", ["tpe", "random", "nsga2"])
def test_a_resumed_search_draws_what_it_would_have_drawn(tmp_path: Path, sampler: str) -> None:
    options = {"trials": 8, "sampler": sampler, "sampler_options": FEW[sampler]}
    whole = run_all(search_in(tmp_path / "whole", **options))
    first = run_all(search_in(tmp_path / "stopped", **options), give_up=5)
    rest = run_all(search_in(tmp_path / "stopped", **options))
    assert first + rest == whole


def test_a_search_finds_what_is_good(tmp_path: Path) -> None:
    """Of 30 draws the best ten percent of the space are found, and most late draws lie near."""
    drawn = [float(job[1].removeprefix("best=")) for job in run_all(search_in(tmp_path / "s", trials=30))]
    assert min(drawn) < 0.05
    assert sum(value < 0.3 for value in drawn[15:]) >= 10


def test_more_trials_may_be_asked_for_later(search: Make) -> None:
    assert len(run_all(search(trials=3))) == 3
    assert run_all(search(trials=3)) == []
    again = search(trials=5)
    assert len(run_all(again)) == 2
    assert [job.number for job in again.sweep.jobs] == [0, 1, 2, 3, 4]


# ---------------------------------------------------------------------- what is told


def test_what_is_told_of_each_end(search: Make) -> None:
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
    assert [(job.number, job.facts["trial"]) for job in one.sweep.jobs] == [(n, n) for n in range(8)]


@pytest.mark.parametrize(("mode", "best"), [("min", 2), ("max", 1)])
def test_the_best_is_that_of_the_best_epochs(search: Make, mode: str, best: int) -> None:
    one = search(trials=4, mode=mode)
    for job, value in zip(one.jobs(), (0.5, 0.9, 0.1, NAN), strict=True):
        end(one, job, value)
    job = one.best()
    assert job is not None
    assert job.number == best
    lines = result(one, Path("src/train.py"))
    assert lines[0] == "4 trials: 3 completed, 1 failed"
    assert lines[1] == f"The best is trial {best}: val/loss {(0.1, 0.9)[mode == 'max']} at epoch 3 with {job.name}"
    assert lines[2] == f"Train that setting again: python src/train.py {' '.join(job.overrides)}"
    assert failures(one)[:2] == [
        "1 of 4 trials failed:",
        f"  job 3, {one.sweep.jobs[3].name}: val/loss was never a finite number",
    ]
    assert one.conclude() == "completed"


def test_a_trial_that_cannot_run_is_recorded_and_the_search_goes_on(
    search: Make, capsys: pytest.CaptureFixture[str]
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


def test_a_search_without_any_value_has_failed(search: Make) -> None:
    one = search(trials=2)
    for job in one.jobs():
        end(one, job, NAN)
    assert one.conclude() == "failed"
    assert one.best() is None
    assert result(one, Path("src/train.py")) == ["2 trials: 2 failed"]


def test_a_setting_that_is_drawn_again_is_not_trained_again(search: Make) -> None:
    one = search("best=0.5,0.25", trials=10)
    done = run_all(one)
    assert sorted(done) == [["best=0.25"], ["best=0.5"]]
    assert one.counts() == {"completed": 10}
    values = [trial.value for trial in one.study.get_trials()]
    assert values == [float(trial.params["best"]) for trial in one.study.get_trials()]
    best = one.best()
    assert best is not None
    assert best.overrides == ["best=0.25"]


# ---------------------------------------------------------------------- after whatever happened


def test_what_was_interrupted_goes_on_and_what_ended_unheard_is_told_once(search: Make) -> None:
    one = search(trials=5)
    jobs = one.jobs()
    first, second, third = next(jobs), next(jobs), next(jobs)
    end(one, first, 0.5)
    end(one, second, 0.25, "interrupted")
    heard = one.done
    one.done = lambda job, status: None  # type: ignore[method-assign]  # the sweep is killed before it hears of it
    end(one, third, 0.75)
    one.done = heard  # type: ignore[method-assign]
    again = search(trials=5)
    todo = again.jobs()
    assert next(todo).number == second.number
    end(again, again.sweep.jobs[1], 0.125)
    assert next(todo).number == 3
    assert states(again)[:4] == [("COMPLETE", 0.5), ("COMPLETE", 0.125), ("COMPLETE", 0.75), ("RUNNING", None)]
    again.done(first, "completed")
    assert states(again)[0] == ("COMPLETE", 0.5), "told twice, it counts once"


def test_a_trial_whose_job_was_not_written_is_not_lost(search: Make) -> None:
    whole = run_all(search(trials=3))
    one = search(trials=4)
    one.study.sampler = make_sampler(one.options, 3)
    trial = one.study.ask()
    drawn = trial.suggest_float("best", 0, 1)  # killed here: of two values one is drawn
    again = search(trials=4)
    (job,) = again.jobs()
    assert (job.number, job.values["best"]) == (3, str(float(f"{drawn:.6g}")))
    assert job.values["kind"] in ("a", "b")
    assert job.overrides not in whole


def test_a_torn_line_is_cut_off(search: Make) -> None:
    run_all(one := search(trials=3))
    journal = one.sweep.path / JOURNAL
    whole = journal.read_bytes()
    journal.write_bytes(whole + b'{"op_code":4,"worker')
    mend(one.sweep.path)
    assert journal.read_bytes() == whole
    assert [path.name for path in one.sweep.path.glob("search*")] == [JOURNAL], "the lock is let go"
    assert len(run_all(search(trials=4))) == 1


# ---------------------------------------------------------------------- pruning


@pytest.fixture
def judged(search: Make) -> Callable[[int], Judge]:
    """A search with the median pruner, whose trials 0 and 1 gave 3, 2, 1 and 5, 4, 3; trial 2 is running."""
    one = search(trials=3, pruner="median", pruner_options={"n_startup_trials": 2})
    for job, values in zip(one.jobs(), ([3, 2, 1], [5, 4, 3], []), strict=True):
        judge = Judge(one.sweep.path, job.number)
        assert not any(judge.hopeless(step, value) for step, value in enumerate(values))
        if values:
            end(one, job, min(values))
    return lambda number: Judge(one.sweep.path, number)


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
    assert not Judge(tmp_path / "nowhere", 0).hopeless(0, 99.0)
    assert not (tmp_path / "nowhere").exists()


def test_a_job_is_told_its_trial_only_if_the_search_prunes(tmp_path: Path) -> None:
    for pruner, told in (("none", False), ("median", True)):
        one = search_in(tmp_path / pruner, trials=1, pruner=pruner)
        (job,) = one.jobs()
        assert ("sweep.trial=0" in one.sweep.arguments(job)) is told


def test_pruned_runs_are_told_apart_and_count_in_no_mean(search: Make) -> None:
    one = search(trials=2)
    jobs = one.jobs()
    end(one, next(jobs), 0.5)
    end(one, next(jobs), 0.25, pruned=True)
    good, pruned = aggregate([one.sweep.path]).settings
    assert (good.objective.mean, runs_told(good)) == (0.5, "1")
    assert (pruned.objective.mean, runs_told(pruned)) == (None, "0 of 1, 1 pruned")


# ---------------------------------------------------------------------- in processes


def pool(search: Search, program: Path, jobs: int, context: Any = None) -> Pool:
    return Pool(search.sweep, program, Limits(jobs=jobs), context or warm_context(), Lines(search.sweep), cores=2)


def test_trials_run_side_by_side(search: Make, program: Path) -> None:
    one = search("do=well", "for=0.3", "best=interval(0,1)", trials=5)
    most = 0

    class Counting(Lines):
        def tick(self) -> None:
            nonlocal most
            most = max(most, len(running.running))

    running = Pool(one.sweep, program, Limits(jobs=2), warm_context(), Counting(one.sweep), cores=2)
    running.run(one.jobs(), one.done)
    assert most == 2
    assert one.counts() == {"completed": 5}
    for trial in one.study.get_trials():
        assert trial.value == pytest.approx(trial.params["best"], rel=1e-5)


def test_failing_jobs_are_survived(search: Make, program: Path) -> None:
    one = search("do=well,raise,kill", "best=0.5,0.25,nan", trials=7, sampler="random", seed=7)
    pool(one, program, jobs=2).run(one.jobs(), one.done)
    ended = {(trial.params["do"], trial.params["best"]): trial.state.name for trial in one.study.get_trials()}
    assert len({do for do, _ in ended}) == 3
    assert ("well", "nan") in ended
    for (do, best), state in ended.items():
        assert state == ("COMPLETE" if do == "well" and best != "nan" else "FAIL")
    assert one.counts() == {"completed": 1, "failed": 6}
    assert one.conclude() == "completed"


SWEEP = f"""
import multiprocessing, sys
from pathlib import Path

sys.path.insert(0, {str(Path(__file__).parent)!r})
from test_search import KILLED, pool, search_in

search = search_in(Path(sys.argv[1]), *KILLED, "for=0.5", trials=6)
pool(search, Path(sys.argv[2]), 1, multiprocessing.get_context("fork")).run(search.jobs(), search.done)
"""
KILLED = ("do=well", "best=interval(0,1)", "kind=a,b")


def test_a_killed_search_is_resumed_with_no_trial_lost_and_none_told_twice(program: Path, tmp_path: Path) -> None:
    folder = tmp_path / "search"
    process = subprocess.Popen([sys.executable, "-c", SWEEP, folder, program], stdout=subprocess.DEVNULL)
    started = folder / "2" / "config.yaml"
    limit = time.monotonic() + 60
    while not started.exists():
        assert process.poll() is None
        assert time.monotonic() < limit
        time.sleep(0.02)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    begun = json.loads((folder / "sweep.json").read_text())["jobs"]
    assert [job["number"] for job in begun] == [0, 1, 2]
    again = search_in(folder, *KILLED, "for=0.5", trials=6)
    before = states(again)
    assert before[2] == ("RUNNING", None)
    pool(again, program, jobs=1).run(again.jobs(), again.done)
    assert states(again)[:2] == before[:2]
    assert again.counts() == {"completed": 6}
    written = [json.loads(line) for line in (folder / JOURNAL).read_text().splitlines()]
    told = [line["trial_id"] for line in written if "state" in line and line.get("values")]
    assert sorted(told) == [0, 1, 2, 3, 4, 5]
    whole = search_in(tmp_path / "whole", *KILLED, "for=0.5", trials=6)
    assert [job.overrides for job in again.sweep.jobs] == run_all(whole), "and it ends as one that was left alone"


@pytest.fixture(autouse=True)
def no_noise() -> Iterator[None]:
    """Optuna's own messages are for who calls it; here nobody reads them."""
    verbosity = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    yield
    optuna.logging.set_verbosity(verbosity)


def test_the_journal_is_read_by_optuna_itself(search: Make) -> None:
    run_all(one := search(trials=3))
    (name,) = optuna.get_all_study_names(storage=open_journal(one.sweep.path))
    assert len(optuna.load_study(study_name=name, storage=open_journal(one.sweep.path)).trials) == 3
