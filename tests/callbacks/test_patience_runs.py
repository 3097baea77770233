"""Runs with `trainer.patience`: what they say, a resume with more of it, a sweep, two processes."""

import csv
import json
import os
import signal
from collections.abc import Callable
from typing import Any

import pytest

Run = Callable[..., Any]
SMALL = ["trainer=cpu", "network.hidden=[8]", "callbacks=none", "data.batch_size=256", "save_every=0"]
STUCK = [*SMALL, "optimizer.lr=0", "trainer.max_epochs=6"]  # no epoch is better than the first


@pytest.fixture(scope="module")
def stuck(run_verb: Run) -> Any:
    outcome = run_verb("train", *STUCK, "trainer.patience=2")
    assert (outcome.code, outcome.err) == (0, "")
    return outcome


def test_the_terminal_and_run_json_say_that_a_run_stopped_early(stuck: Any) -> None:
    manifest = stuck.manifest
    assert (manifest["status"], manifest["epochs"], manifest["stopped_early"]) == ("completed", 3, 3)
    (line,) = [line for line in stuck.out.splitlines() if line.startswith("Stopped early")]
    best = f"{manifest['objective']['best']:.4g}"
    told = "2 validations without a better val/accuracy"
    assert line == f"Stopped early after epoch 3: {told} (best {best} at epoch 1; trainer.patience=2)"
    assert [row["epoch"] for row in csv.DictReader(stuck.metrics.splitlines()) if row["val/loss"]] == ["0", "1", "2"]
    assert manifest["test"]


def test_a_run_without_patience_is_not_early(run_verb: Run) -> None:
    manifest = run_verb("train", *STUCK, "trainer.max_epochs=2", "trainer.patience=2").manifest
    assert (manifest["epochs"], manifest["stopped_early"]) == (2, None)


def test_a_run_that_ends_while_it_is_tested_trains_no_more(
    run_verb: Run, stuck: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from atelier.tasks.classifier import Classifier

    test = Classifier.test_step
    with monkeypatch.context() as patch:
        patch.setattr(Classifier, "test_step", lambda *args: (os.kill(os.getpid(), signal.SIGTERM), test(*args))[1])
        run = run_verb("train", *STUCK, "trainer.patience=2")
    assert (run.code, run.manifest["status"]) == (128 + signal.SIGTERM, "interrupted")
    monkeypatch.setattr(Classifier, "training_step", lambda *args: pytest.fail("it trains on"))
    resumed = run_verb("train", f"resume={run.folder}")
    assert (resumed.code, resumed.err) == (0, "")
    for key in ("status", "epochs", "steps", "stopped_early", "objective", "test"):
        assert run.manifest[key] == stuck.manifest[key]
    assert run.metrics == stuck.metrics


def test_more_patience_trains_on_and_other_changes_alone_are_refused(run_verb: Run) -> None:
    run = run_verb("train", *STUCK, "trainer.patience=1", "network.dropout=0.5", "test=false")
    assert run.manifest["stopped_early"] == 2
    for change in ("trainer.max_epochs=9", "optimizer.weight_decay=0.1", "trainer.patience=1"):
        refused = run_verb("train", f"resume={run.folder}", change)
        assert (refused.code, refused.err.count("\n")) == ((0, 0) if "patience" in change else (2, 1))
        assert change in refused.err or "patience" in change
    assert run.manifest["stopped_early"] == 2
    outcome = run_verb("train", f"resume={run.folder}", "trainer.patience=3", "test=false")
    assert (outcome.code, outcome.err) == (0, "")
    assert (run.manifest["epochs"], run.manifest["stopped_early"]) == (4, 4)
    whole = run_verb("train", *STUCK, "trainer.patience=3", "network.dropout=0.5", "test=false")
    assert run.metrics == whole.metrics
    outcome = run_verb("train", f"resume={run.folder}", "trainer.patience=null", "test=false")
    assert (outcome.code, run.manifest["epochs"], run.manifest["stopped_early"]) == (0, 6, None)


@pytest.mark.slow
def test_a_sweeps_runs_may_end_at_different_epochs(run_verb: Run) -> None:
    outcome = run_verb("train", "-m", *STUCK, "trainer.patience=1,3", "test=false")
    assert outcome.code == 0, outcome.err
    (sweep,) = outcome.logs.glob("sweeps/*/*")
    manifests = [json.loads((sweep / name / "run.json").read_text()) for name in "01"]
    assert [(one["status"], one["epochs"], one["stopped_early"]) for one in manifests] == [
        ("completed", 2, 2),
        ("completed", 4, 4),
    ]
    assert "2 settings, 2 runs" in outcome.out


@pytest.mark.slow
def test_two_processes_end_together(run_process: Run) -> None:
    outcome = run_process("train", *STUCK[1:], "trainer=ddp_cpu", "trainer.patience=2", "task.average=0.9")
    assert (outcome.code, outcome.err) == (0, "")
    assert (outcome.manifest["epochs"], outcome.manifest["stopped_early"]) == (3, 3)
    resumed = run_process("train", f"resume={outcome.folder}", "trainer.patience=3")
    assert (resumed.code, resumed.err) == (0, "")
    assert (outcome.manifest["epochs"], outcome.manifest["stopped_early"]) == (4, 4)
