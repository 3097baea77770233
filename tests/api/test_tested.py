"""What a test has measured is told of the weights that were tested, and of no others."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import atelier

Run = Callable[..., Any]
OTHERS = [
    *[["checkpoint=last"], ["task.quarter_turns=true"], ["data.batch_size=7", "task.quarter_turns=true"]],
    pytest.param(["data.mean=0.5"], marks=pytest.mark.filterwarnings("ignore:data.mean")),
]
SAME = ["data.batch_size=7", "data.eval_batch_size=9"]
CALIBRATED = {"sure", "probability"}


@pytest.fixture
def run(trained: Any, tmp_path: Path) -> Path:
    return Path(shutil.copytree(trained.folder, tmp_path / "run"))


def columns(run_verb: Run, run: Path, *others: str) -> tuple[set[str], str]:
    """The columns of the answers, and what is said of them."""
    outcome = run_verb("predict", f"run={run}", "split=val", "format=json", *others)
    assert outcome.code == 0, outcome.err
    return set(json.loads(outcome.out)[0]), outcome.err


@pytest.mark.parametrize("others", OTHERS, ids=" ".join)
def test_how_sure_a_clock_is_holds_for_the_weights_and_settings_that_were_tested(
    run_verb: Run, run: Path, others: list[str]
) -> None:
    assert columns(run_verb, run)[0] >= CALIBRATED
    found, said = columns(run_verb, run, *others)
    assert not found & CALIBRATED
    assert "was not calibrated" in said


def test_the_size_of_batches_leaves_a_clock_as_sure_as_it_was(run_verb: Run, run: Path) -> None:
    assert columns(run_verb, run, *SAME)[0] >= CALIBRATED


def test_a_run_that_is_opened_with_other_weights_does_not_know_how_sure_they_are(run: Path, run_verb: Run) -> None:
    """And with those that are tested then, it does."""
    assert atelier.load(run).task.recorded["sureness"] is not None
    assert atelier.load(run, checkpoint="last").task.recorded["sureness"] is None
    assert run_verb("train", f"resume={run}", "train=false", "checkpoint=last").code == 0
    assert atelier.load(run).task.recorded["sureness"] is None
    assert atelier.load(run, checkpoint="last").task.recorded["sureness"] is not None


def test_weights_that_a_longer_training_keeps_stay_tested_whatever_only_its_training_changes(
    run_verb: Run, tmp_path: Path
) -> None:
    """best.ckpt is of before the change, and config.yaml of after it."""
    words = ["trainer=cpu", "callbacks=none", "network.hidden=[8]", "trainer.max_epochs=2", f"paths.run={tmp_path}/run"]
    assert run_verb("train", *words).code == 0
    longer = ["trainer.max_epochs=3", "data.batch_size=50", "optimizer.lr=1000"]
    assert run_verb("train", f"resume={tmp_path}/run", *longer).code == 0
    manifest = json.loads((tmp_path / "run" / "run.json").read_text())
    assert manifest["objective"]["best_epoch"] == 1
    opened = atelier.load(tmp_path / "run")
    assert opened.task.recorded["test"] == manifest["test"] != {}


def test_the_tested_checkpoint_is_the_same_however_it_is_named(
    run_verb: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ["trainer=cpu", "callbacks=none", "network.hidden=[8]", "trainer.max_epochs=1", f"paths.run={tmp_path}/run"]
    assert run_verb("train", *words).code == 0
    tested = json.loads((tmp_path / "run" / "run.json").read_text())["test"]
    monkeypatch.chdir(tmp_path)
    best = "run/checkpoints/best.ckpt"
    opened = [atelier.load("run", checkpoint=named) for named in (best, f"{tmp_path}/{best}", f"run/../{best}")]
    monkeypatch.chdir("/")
    for one in opened:
        assert one.task.recorded["test"] == tested != {}
