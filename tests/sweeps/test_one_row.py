"""Runs of one setting are one row, wherever a sweep goes on: real trainings of a second."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from atelier.sweeps.aggregate import aggregate
from atelier.sweeps.grid import Grid
from atelier.sweeps.settings_from import with_settings_from

Run = Callable[..., Any]
SHORT = [
    *("network.hidden=[4]", "trainer=cpu", "trainer.max_epochs=1", "trainer.limit_train_batches=2"),
    *("test=false", "data.eval_batch_size=100"),
]


@pytest.mark.slow
def test_a_sweep_that_goes_on_under_another_data_dir_has_two_rows_of_two(run_verb: Run, tmp_path: Path) -> None:
    """And what is best there is the better mean, though the best single seed is another setting's."""
    swept = ["optimizer=sgd,adam", "seed=0,1"]
    begun = run_verb("train", "-m", *SHORT, "callbacks=none", *swept)
    (sweep,) = begun.logs.glob("sweeps/*/*/")
    for number in (1, 3):
        shutil.rmtree(sweep / str(number))
    there = {"DATA_DIR": str(tmp_path / "data")}
    again = run_verb("train", "-m", "sweep.resume=latest", logs=begun.logs, environment=there)
    assert again.code == 0, again.err
    assert "2 of 4 jobs are to be done" in again.out
    configs = [(sweep / str(number) / "config.yaml").read_text() for number in (0, 1)]
    assert [str(tmp_path / "data") in config for config in configs] == [False, True]
    results = aggregate([sweep])
    assert [(setting.objective.n, len(setting.records)) for setting in results.settings] == [(2, 2), (2, 2)]

    for number, best in enumerate([0.5, 0.9, 0.8, 0.8]):
        change(sweep / str(number) / "run.json", best)
    grid = with_settings_from(sweep, Grid([["seed=5"]]))
    assert grid.jobs == [["seed=5", "optimizer=adam"]]


def change(manifest: Path, best: float) -> None:
    content = json.loads(manifest.read_text())
    content["objective"]["best"] = best
    manifest.write_text(json.dumps(content))


@pytest.mark.slow  # by default tests/runs/test_setting.py compares the settings of such runs
def test_single_runs_that_differ_in_what_changes_no_number_are_one_row(run_verb: Run, tmp_path: Path) -> None:
    """As they were seen to split: where the data lies, a callback that looks, the device's name, and the rest."""
    others = [
        (["callbacks=none"], {"DATA_DIR": str(tmp_path / "data")}),
        (["callbacks=[filters,weight_norms]", "trainer=auto", "trainer.log_every_n_steps=1", "test=true"], {}),
        (["callbacks=none", "data.rebuild=true", "data.resident=false", "trainer.profiler=simple"], {}),
    ]
    logs = None
    for seed, (more, environment) in enumerate(others):
        run = run_verb("train", "network=lenet5", *SHORT, *more, f"seed={seed}", logs=logs, environment=environment)
        assert run.code == 0, run.err
        logs = run.logs
    (setting,) = aggregate([run.logs / "runs"]).settings
    assert (setting.objective.n, setting.objective.std is not None) == (3, True)
