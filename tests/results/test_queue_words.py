"""What the queue says and refuses before it runs a sweep; what it sets aside."""

import importlib.util
import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from atelier.errors import InputError
from atelier.results.export import export_all
from atelier.results.queue import set_aside
from atelier.sweeps.records import read_run

ROOT = Path(__file__).parents[2]
ONE = "entries: [{study: tiny, seeds: [0]}]"


def test_a_sweep_says_what_is_not_expected_of_it(project: Any, capfd: pytest.CaptureFixture[str]) -> None:
    project.write_list("entries: [{study: tiny, seeds: [0], overrides: [data.augment=true], reduced: for a trial}]")
    (project.root / "fail-0").touch()
    assert project.run() == 1
    assert "tiny, seed 0: reduced: for a trial" in capfd.readouterr().out
    (project.root / "fail-0").unlink()
    assert project.run("trainer.precision=32-true") == 0
    assert "tiny, seed 0: goes on as it began, without trainer.precision=32-true" in capfd.readouterr().out


def test_jobs_that_the_record_has_and_this_machine_has_not_begun_are_told_to_run_again(
    project: Any, capfd: pytest.CaptureFixture[str]
) -> None:
    project.write_list(ONE)
    assert project.run() == 0
    project.write_list("entries: [{study: tiny, seeds: [0, 1]}]")
    (project.root / "fail-1").touch()
    assert project.run() == 1
    (told, *_) = export_all(project.parts(), project.root / "conf", project.root / "logs", project.root / "docs")
    assert told.startswith("tiny: 4 runs, 1 of 2 repeats whole")
    shutil.rmtree(project.root / "logs")
    capfd.readouterr()
    project.run()
    assert "tiny, seed 1: 1 of its jobs are in the record and run again" in capfd.readouterr().out


def test_a_run_that_is_set_aside_twice_with_one_setting_has_two_places(project: Any) -> None:
    (part, *_) = project.parts()
    for setting in ("one", "two", "one", "two"):
        folder = part.folder / "0"
        folder.mkdir(parents=True)
        (folder / "run.json").write_text(json.dumps({"status": "completed", "config_hash": setting}))
        set_aside([read_run(folder)], part)
    names = sorted(path.name for path in (part.folder.parent / "superseded").iterdir())
    assert names == ["seed-0-0-one", "seed-0-0-one-2", "seed-0-0-two", "seed-0-0-two-2"]


def test_a_sweep_that_is_left_out_keeps_its_runs(project: Any, capfd: pytest.CaptureFixture[str]) -> None:
    """Also those whose setting is another by now."""
    project.write_list(ONE)
    assert project.run() == 0
    (project.root / "hash").write_text("two")
    project.write_list("entries: [{study: tiny, seeds: [1]}]")
    for run in (project.root / "logs" / "results" / "tiny").glob("seed-0/*/run.json"):
        os.utime(run, (0, 0))
    assert project.run() == 0
    (project.root / "conf" / "study" / "tiny.yaml").write_text("study: {grid: {optimizer: [sgd, rmsprop], seed: [0]}}")
    project.write_list(ONE)
    assert project.run() == 1
    assert "left out, since its jobs have changed" in capfd.readouterr().out
    assert not (project.root / "logs" / "results" / "tiny" / "superseded").exists()


@pytest.mark.parametrize(
    "typed",
    [
        "trainer.max_epochs=1",
        "seed=7",
        "data.train_size=100",
        "budget=quick",
        "sweep.settings_from=latest",
        "study=tiny",
    ],
)
def test_what_would_make_other_settings_is_refused(typed: str, tmp_path: Path) -> None:
    """The record of the full runs would count as outdated."""
    spec: Any = importlib.util.spec_from_file_location("results_of_the_test", ROOT / "src" / "results.py")
    spec.loader.exec_module(module := importlib.util.module_from_spec(spec))
    with pytest.raises(InputError) as caught:
        module.run_list(tmp_path, ["hydra.launcher.jobs=1", "trainer.precision=32-true", typed], 19)
    instead = f"train it apart: python src/train.py -m study=NAME {typed}"
    assert str(caught.value) == f"{typed}: the record is of the studies' own settings; {instead}"
    assert list(tmp_path.iterdir()) == []
