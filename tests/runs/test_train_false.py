"""A command with train=false tests a run as it is: the run stays as long, as unfinished and as pruned as it was."""

import json
import os
import shutil
import signal
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from atelier.errors import InputError
from atelier.runs.keeper import Keeper
from atelier.runs.rows import read_curves, read_metrics

Run = Callable[..., Any]
SHORT = [
    *("network.hidden=[4]", "trainer=cpu", "trainer.max_epochs=1", "trainer.limit_train_batches=2"),
    *("callbacks=none", "scheduler=constant", "save_every=0"),
]


def logged_in(folder: Path, name: str) -> Any:
    """The points of a metric in the event files of a run, as TensorBoard reads them."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

        return EventAccumulator(str(folder / "tensorboard")).Reload().Scalars(name)


def content(folder: Path) -> dict[str, Any]:
    return json.loads((folder / "run.json").read_text())


@pytest.fixture(scope="module")
def ended(run_verb: Run) -> Path:
    """The folder of a run of one epoch."""
    return run_verb("train", *SHORT).folder


@pytest.mark.parametrize("killed", [False, True])
def test_an_unfinished_run_stays_unfinished(run_verb: Run, monkeypatch: pytest.MonkeyPatch, killed: bool) -> None:
    """Also one that keeps no last.ckpt when it is complete: it goes on from there."""

    def fail(*given: Any) -> None:
        raise InputError("the machine ends")

    with monkeypatch.context() as patch:
        patch.setattr(Keeper, "on_train_epoch_end", fail)
        run = run_verb("train", *SHORT, "save_last=false")
    before = run.manifest
    assert (before["status"], before["test"]) == ("failed", {})
    if killed:
        (run.folder / "run.json").write_text(json.dumps({**before, "status": "running", "error": None}))
    tested = run_verb("train", f"resume={run.folder}", "train=false")
    assert tested.code == 0, tested.err
    assert f"Its training has not ended. Go on with: python src/train.py resume={run.folder}" in tested.out
    assert run.manifest["test"]
    assert run.manifest["status"] == ("interrupted" if killed else "failed")
    assert run.manifest["error"] == (None if killed else before["error"])
    assert run_verb("train", f"resume={run.folder}").code == 0
    after = run.manifest
    assert (after["status"], after["error"], after["epochs"]) == ("completed", None, 1)


def test_it_holds_for_one_command(run_verb: Run, ended: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(ended, tmp_path / "run"))
    before = content(folder)
    assert run_verb("train", f"resume={folder}", "train=false", "note=again").code == 0
    after = content(folder)
    assert (after["status"], after["note"]) == ("completed", "again")
    assert after["overrides"] == [*before["overrides"], "note='again'"]
    assert yaml.safe_load((folder / "config.yaml").read_text())["train"] is True
    assert run_verb("train", f"resume={folder}", "trainer.max_epochs=2").code == 0
    assert content(folder)["epochs"] == 2


@pytest.mark.parametrize("counts", ["epochs", "steps"])
def test_a_test_alone_is_logged_after_the_training_as_the_training_logs_its_own(run_verb: Run, counts: str) -> None:
    """At epoch 0 and step 0, it would be a point of the curves, W&B would drop it and TensorBoard all that is later."""
    by_steps = ["trainer.check_val_every_n_epoch=null", "trainer.val_check_interval=2", "trainer.max_steps=3"]
    run = run_verb("train", *SHORT, *(by_steps if counts == "steps" else []), "logger=tensorboard")
    metrics = run.folder / "metrics.csv"
    before = read_metrics(metrics)
    assert run_verb("train", f"resume={run.folder}", "train=false").code == 0
    assert read_metrics(metrics) == [*before, before[-1]]
    assert not [name for name in read_curves(metrics, counts.removesuffix("s")) if name.startswith("test/")]
    steps = {row["step"] for row in before if "val/loss" in row}
    assert {event.step for event in logged_in(run.folder, "val/loss")} == steps
    assert (
        run_verb("train", f"resume={run.folder}", "trainer.max_epochs=2", "trainer.max_steps=-1", "test=false").code
        == 0
    )
    assert not [row for row in read_metrics(metrics) if "test/loss" in row]


def test_a_test_alone_of_a_killed_run_comes_after_what_it_logged_last(
    run_verb: Run, ended: Path, tmp_path: Path
) -> None:
    """That may be after the steps that run.json tells."""
    folder = Path(shutil.copytree(ended, tmp_path / "run"))
    last = read_metrics(folder / "metrics.csv")[-2]
    (folder / "run.json").write_text(json.dumps({**content(folder), "status": "running"}))
    (folder / "metrics.csv").write_text(f"epoch,step,train/loss\n0,{int(last['step'])},1.0\n1,40,1.0\n")
    assert run_verb("train", f"resume={folder}", "train=false").code == 0
    assert [int(row["step"]) for row in read_metrics(folder / "metrics.csv")][-2:] == [40, 41]


def test_it_takes_no_other_setting_which_nothing_would_train(run_verb: Run, ended: Path) -> None:
    before = (ended / "run.json").read_bytes()
    refused = run_verb("train", f"resume={ended}", "train=false", "trainer.max_epochs=4")
    assert refused.code == 2
    assert "trainer.max_epochs=4: train=false trains nothing" in refused.err
    assert (ended / "run.json").read_bytes() == before


def test_a_run_stays_pruned_or_stopped_early(run_verb: Run, ended: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(ended, tmp_path / "run"))
    how = {"pruned": True, "stopped_early": 1, "peak_memory_mb": 1e9}
    (folder / "run.json").write_text(json.dumps({**content(folder), **how}))
    assert run_verb("train", f"resume={folder}", "train=false").code == 0
    after = content(folder)
    assert {key: after[key] for key in how} == how
    assert after["status"] == "completed"


@pytest.mark.parametrize("how", ["interrupted", "failed"])
@pytest.mark.parametrize(
    "changed", [{}, {"pruned": True}, {"status": "failed", "error": {"type": "E", "message": "m"}}]
)
def test_a_test_alone_that_is_not_finished_leaves_the_run_as_it_was(
    run_verb: Run, ended: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str, changed: dict[str, Any]
) -> None:
    """It would be missing in the means of its setting, and a pruned one would be trained on."""

    def act(*given: Any) -> None:
        if how == "failed":
            raise RuntimeError("no memory")
        os.kill(os.getpid(), signal.SIGTERM)

    folder = Path(shutil.copytree(ended, tmp_path / "run"))
    (folder / "run.json").write_text(json.dumps({**content(folder), **changed}))
    before = content(folder)
    monkeypatch.setattr(Keeper, "on_test_batch_start", act)
    if how == "failed":
        with pytest.raises(RuntimeError, match="no memory"):
            run_verb("train", f"resume={folder}", "train=false")
    else:
        assert run_verb("train", f"resume={folder}", "train=false").code == 128 + signal.SIGTERM
    after = content(folder)
    for key in ("status", "error", "pruned", "test", "objective"):
        assert after[key] == before[key], key
    assert ("no memory" in (folder / "run.log").read_text()) is (how == "failed")


def test_a_relative_checkpoint_is_found_again_from_another_folder(
    run_verb: Run, ended: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = Path(shutil.copytree(ended, tmp_path / "run"))
    monkeypatch.chdir(folder)
    tested = run_verb("train", "train=false", "checkpoint=checkpoints/last.ckpt", *SHORT)
    assert tested.code == 0, tested.err
    monkeypatch.chdir(tmp_path)
    assert run_verb("train", f"resume={tested.folder}").code == 0


def test_a_named_checkpoint_is_no_start_of_a_training(run_verb: Run, ended: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(ended, tmp_path / "run"))
    assert run_verb("train", f"resume={folder}", "train=false", "checkpoint=last").code == 0
    refused = run_verb("train", f"resume={folder}", "trainer.max_epochs=2")
    assert (refused.code, content(folder)["epochs"]) == (2, 1)
    assert "checkpoint=last is what train=false tests; to train, give checkpoint=null" in refused.err
    assert run_verb("train", f"resume={folder}", "trainer.max_epochs=2", "checkpoint=null").code == 0
    assert content(folder)["epochs"] == 2
