"""Searches as a user runs them: `python src/train.py -m hydra/sweeper=optuna …`, with real trainings of a second."""

import csv
import functools
import json
import shlex
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from optuna.trial import TrialState

from atelier.callbacks.pruning import at_end, step
from atelier.compose.build import pruning
from atelier.compose.targets import make
from atelier.runs.judge import Judge

Run = Callable[..., Any]
SEARCH = ["-m", "hydra/sweeper=optuna"]
FAST = ["data=digits", "network.hidden=[8]", "callbacks=none", "save_every=0"]
SPACE = ["optimizer=adam,sgd", "optimizer.lr=tag(log,interval(1e-5,1e-1))"]
MEDIAN = ["hydra/sweeper/pruner=median", "hydra.sweeper.pruner.n_startup_trials=1"]


@pytest.fixture(scope="module")
def searched(run_verb: Run) -> Any:
    """A finished search of five trials, one after the other, some of them pruned. Tests change nothing in it."""
    size = ["trainer=cpu", "trainer.max_epochs=4", "hydra.sweeper.trials=5", "hydra.launcher.jobs=1"]
    return run_verb("train", *SEARCH, *FAST, *size, *MEDIAN, *SPACE)


def folder(logs: Path) -> Path:
    (found,) = logs.glob("sweeps/*/*/")
    return found


def runs(logs: Path) -> dict[int, dict[str, Any]]:
    return {int(path.parent.name): json.loads(path.read_text()) for path in folder(logs).glob("*/run.json")}


def trials(logs: Path) -> list[Any]:
    """What the search's journal says, as a job would read it."""
    return Judge(folder(logs), 0, functools.partial(make, "")).study.get_trials()


def test_pruned_jobs_stop_early_and_are_not_tested(searched: Any) -> None:
    assert (searched.code, searched.err) == (0, "")
    found = runs(searched.logs)
    assert sorted(found) == [0, 1, 2, 3, 4]
    assert {run["status"] for run in found.values()} == {"completed"}
    pruned = {number: run for number, run in found.items() if run["pruned"]}
    assert 0 < len(pruned) < 4
    for number, run in found.items():
        assert (run["epochs"] < 4) is (number in pruned)
        assert bool(run["test"]) is (number not in pruned)
        assert run["objective"]["best"] is not None


def test_what_the_search_was_told_is_what_the_runs_wrote(searched: Any) -> None:
    for trial, run in zip(trials(searched.logs), dict(sorted(runs(searched.logs).items())).values(), strict=True):
        rows = csv.DictReader((folder(searched.logs) / str(trial.number) / "metrics.csv").read_text().splitlines())
        logged = [float(row["val/accuracy"]) for row in rows if row["val/accuracy"]]
        assert trial.intermediate_values == dict(enumerate(logged))
        if run["pruned"]:
            assert trial.state == TrialState.PRUNED
        else:
            assert (trial.state, trial.value) == (TrialState.COMPLETE, run["objective"]["best"])
            assert trial.value == max(logged), "the objective is that of the best epoch"


def test_the_report_names_the_best_and_how_to_train_it_again(searched: Any, run_verb: Run) -> None:
    found = runs(searched.logs)
    best = max((n for n in found if not found[n]["pruned"]), key=lambda n: found[n]["objective"]["best"])
    lines = searched.out.splitlines()
    assert lines[-3].startswith("5 trials: ")
    assert lines[-2].startswith(
        f"The best is trial {best}: val/accuracy {found[best]['objective']['best']:.6g} at epoch"
    )
    again = run_verb("train", *shlex.split(lines[-1].partition("src/train.py ")[2]))
    assert again.manifest["objective"]["best"] == found[best]["objective"]["best"]
    assert again.manifest["config_hash"] == found[best]["config_hash"]
    for name in ("report.html", "summary.csv", "figures/search_val_accuracy.png", "figures/search_val_accuracy.svg"):
        assert (folder(searched.logs) / name).stat().st_size > 0
    assert "pruned" in (folder(searched.logs) / "summary.md").read_text()


def test_the_sweep_says_how_it_searched(searched: Any) -> None:
    sweep = json.loads((folder(searched.logs) / "sweep.json").read_text())
    assert (sweep["status"], sweep["swept"]) == ("completed", ["optimizer", "optimizer.lr"])
    search = sweep["search"]
    assert (search["trials"], search["seed"]) == (5, 0)
    assert search["sampler"]["_target_"] == "optuna.samplers.TPESampler"
    assert search["pruner"]["_target_"] == "optuna.pruners.MedianPruner"
    assert search["pruner"]["n_startup_trials"] == 1
    assert sweep["command"][0] == "hydra/sweeper=optuna"
    assert sweep["presentation"]["figures"][0] == {"kind": "search", "logarithmic": ["optimizer.lr"]}


@pytest.mark.slow
def test_a_finished_search_may_go_on(searched: Any, run_verb: Run, tmp_path: Path) -> None:
    logs = Path(shutil.copytree(searched.logs, tmp_path / "logs"))
    again = run_verb("train", "-m", "sweep.resume=latest", logs=logs)
    assert (again.code, again.err, len(runs(logs))) == (0, "", 5)
    before = {number: run["config_hash"] for number, run in runs(logs).items()}
    more = ["sweep.resume=latest", "hydra.sweeper.trials=6"]
    outcome = run_verb("train", *SEARCH, *more, logs=logs)
    assert (outcome.code, outcome.err) == (0, "")
    after = {number: run["config_hash"] for number, run in runs(logs).items()}
    assert sorted(after) == [0, 1, 2, 3, 4, 5]
    assert before.items() <= after.items()
    other = run_verb("train", *SEARCH, "sweep.resume=latest", *FAST, "optimizer=adam,adagrad", logs=logs)
    assert other.code == 2
    assert other.err.splitlines()[1].startswith("  was callbacks=none data=digits network.hidden=[8] optimizer.lr=")
    assert other.err.splitlines()[2].startswith("  now callbacks=none data=digits network.hidden=[8] optimizer=adam,ad")


# ---------------------------------------------------------------------- before the first trial


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["seed=1", "optimizer=sgd,adamm"], "optimizer=adamm: no 'adamm'; choose from: adam"),
        (["seed=1", "optimizer=sgd,adamm"], "(with trainer=cpu seed=1 optimizer=adamm)"),
        (["optimizer=sgd"], "nothing varies, so there is nothing to search"),
        (["task.metric=val/loss,val/accuracy", "task.mode=max"], "different objectives, val/loss (max) and"),
        (["optimizer=sgd,adam", "hydra.sweeper.trials=0"], "hydra.sweeper.trials=0: give a whole number of 1 or more"),
        (["optimizer=sgd,adam", "+hydra.sweeper.trial=1"], "hydra.sweeper.trial: no 'trial'; choose from"),
        (
            ["optimizer=sgd,adam", "hydra/sweeper/sampler=tpee"],
            "hydra/sweeper/sampler=tpee: no 'tpee'; choose from: tpe",
        ),
        (
            ["optimizer=sgd,adam", "hydra.sweeper.sampler.n_startup=3"],
            "hydra.sweeper.sampler.n_startup: TPESampler has no 'n_startup'; choose from: n_startup_trials",
        ),
        (
            ["optimizer=sgd,adam", "+hydra.sweeper.sampler.few=3"],
            "hydra.sweeper.sampler.few: TPESampler has no 'few'; choose from: ",
        ),
        (["optimizer=sgd,adam", "hydra.sweeper.pruner=median"], "choose it as hydra/sweeper/pruner=median"),
        (["sweep.resume=latest"], "there is no sweep under "),
    ],
)
def test_a_mistake_is_told_before_anything_runs(run_verb: Run, arguments: list[str], told: str) -> None:
    outcome = run_verb("train", *SEARCH, "trainer=cpu", *arguments)
    assert outcome.code == 2
    assert told in outcome.err
    assert "Traceback" not in outcome.err
    assert not list(outcome.logs.rglob("*.json"))


def test_without_optuna_the_extra_is_named(run_verb: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "optuna", None)
    for module in ("sweeps.search_start", "sweeps.search", "sweeps.search_space", "runs.judge"):
        monkeypatch.delitem(sys.modules, f"atelier.{module}", raising=False)
    outcome = run_verb("train", *SEARCH, *SPACE)
    told = "hydra/sweeper=optuna needs the package optuna: pip install 'atelier[optuna]'\n"
    assert (outcome.code, outcome.err) == (2, told)


def test_a_run_that_is_no_trial_has_nothing_to_do_with_pruning(compose: Callable[..., Any]) -> None:
    run: Any = None
    assert pruning(compose(), run) == []


def test_a_sampler_needs_a_search(run_verb: Run) -> None:
    outcome = run_verb("train", "-m", "hydra/sweeper/sampler=random", "optimizer=sgd,adam")
    assert (outcome.code, outcome.err) == (
        2,
        "hydra/sweeper/sampler belongs to hydra/sweeper=optuna: give hydra/sweeper=optuna too\n",
    )


def test_a_grid_is_not_resumed_as_a_search(run_verb: Run, tmp_path: Path) -> None:
    grid = tmp_path / "sweeps" / "default" / "one"
    grid.mkdir(parents=True)
    (grid / "sweep.json").write_text('{"jobs": [], "launcher": []}')
    outcome = run_verb("train", *SEARCH, "sweep.resume=latest", logs=tmp_path)
    assert (outcome.code, outcome.err) == (2, f"{grid} is a grid; resume it without hydra/sweeper=optuna\n")


# ---------------------------------------------------------------------- several processes


@pytest.mark.slow
def test_all_processes_of_a_pruned_job_stop(run_verb: Run) -> None:
    """Every value is above the threshold, so that all trials end after their first epoch, and none has a result."""
    pruner = ["hydra/sweeper/pruner=threshold", "hydra.sweeper.pruner.upper=-1", "hydra.sweeper.trials=1"]
    outcome = run_verb("train", *SEARCH, *FAST, "trainer=ddp_cpu", "trainer.max_epochs=3", *pruner, *SPACE)
    (run,) = runs(outcome.logs).values()
    assert (run["status"], run["pruned"], run["epochs"], run["test"]) == ("completed", True, 1, {})
    assert outcome.code == 1
    assert outcome.out.splitlines()[-1] == "1 trials: 1 pruned"
    assert list(trials(outcome.logs)[0].intermediate_values) == [0], "one process reports"


class Training:
    """As much of a Trainer as tells how far it is."""

    max_epochs, current_epoch, is_last_batch = 3, 1, True
    max_steps, global_step = -1, 20
    check_val_every_n_epoch: int | None = 1
    val_check_batch, num_training_batches = 10, 10

    def __init__(self, **changes: Any) -> None:
        vars(self).update(changes)


@pytest.mark.parametrize(
    ("changes", "counted", "ends"),
    [
        ({}, 1, False),
        ({"current_epoch": 2}, 2, True),
        ({"current_epoch": 2, "is_last_batch": False}, 2, False),
        ({"max_epochs": -1, "current_epoch": 9}, 9, False),
        ({"max_steps": 30}, 20, False),
        ({"max_steps": 20}, 20, True),
        ({"val_check_batch": 5}, 20, False),
        ({"check_val_every_n_epoch": None}, 20, False),
    ],
)
def test_steps_are_epochs_unless_training_counts_steps(changes: dict[str, Any], counted: int, ends: bool) -> None:
    trainer: Any = Training(**changes)
    assert (step(trainer), at_end(trainer)) == (counted, ends)
