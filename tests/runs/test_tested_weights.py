"""A run's test numbers are those of the weights in its folder, or there are none; and none is lost without need."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from atelier.errors import InputError
from atelier.runs.keeper import Keeper

Run = Callable[..., Any]
BEGUN = [
    *("network.hidden=[8]", "trainer=cpu", "trainer.max_epochs=1", "trainer.limit_train_batches=2", "callbacks=none"),
    *("task.clean_train_accuracy=true", "scheduler=constant"),
]
LONGER = ["trainer.max_epochs=3", "test=false"]
GAP = "generalisation_gap"


@pytest.fixture(scope="module")
def tested(run_verb: Run) -> Path:
    """The folder of a run of one epoch, tested."""
    folder = run_verb("train", *BEGUN).folder
    assert manifest(folder)["test"]
    assert manifest(folder)["objective"][GAP] is not None
    return folder


@pytest.fixture
def folder(tested: Path, tmp_path: Path) -> Path:
    """A copy of it."""
    return Path(shutil.copytree(tested, tmp_path / "run"))


def manifest(folder: Path) -> dict[str, Any]:
    return json.loads((folder / "run.json").read_text())


def results(folder: Path) -> dict[str, Any]:
    return {key: manifest(folder)[key] for key in ("status", "objective", "test")}


def weights(folder: Path) -> torch.Tensor:
    state = torch.load(folder / "checkpoints" / "best.ckpt", weights_only=True)["state_dict"]
    return torch.cat([value.float().flatten() for value in state.values()])


def test_a_run_that_trains_on_to_a_better_best_is_no_longer_tested(run_verb: Run, folder: Path) -> None:
    before = results(folder)
    assert run_verb("train", f"resume={folder}", *LONGER).code == 0
    after = results(folder)
    assert after["objective"]["best"] > before["objective"]["best"]
    assert (after["test"], after["objective"][GAP]) == ({}, None)
    assert after["objective"]["validation_gap"] not in (None, before["objective"]["validation_gap"])
    assert run_verb("train", f"resume={folder}", "test=true").code == 0
    again = results(folder)
    assert again["test"].keys() == before["test"].keys()
    assert again["objective"][GAP] is not None


def test_it_is_not_as_soon_as_the_best_is_replaced(
    run_verb: Run, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*given: Any) -> None:
        raise InputError("the machine ends")

    monkeypatch.setattr(Keeper, "on_train_end", fail)
    assert run_verb("train", f"resume={folder}", "trainer.max_epochs=3").code == 2
    found = results(folder)
    assert (found["status"], found["test"], found["objective"][GAP]) == ("failed", {}, None)
    assert found["objective"]["validation_gap"] is None


def test_the_best_that_stays_keeps_its_test(run_verb: Run, folder: Path) -> None:
    before, best = results(folder), weights(folder)
    assert run_verb("train", f"resume={folder}", *LONGER, "optimizer.lr=0").code == 0
    assert manifest(folder)["epochs"] == 3
    assert torch.equal(weights(folder), best)
    assert results(folder) == before


def test_a_run_that_has_finished_or_does_no_step_keeps_its_test(
    run_verb: Run, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = results(folder)
    assert run_verb("train", f"resume={folder}", "test=false").code == 0
    assert results(folder) == before

    def fail(*given: Any) -> None:
        raise InputError("the machine ends")

    monkeypatch.setattr("atelier.tasks.classifier.Classifier.training_step", fail)
    assert run_verb("train", f"resume={folder}", *LONGER).code == 2
    assert results(folder) == {**before, "status": "failed"}


def test_a_test_of_another_checkpoint_stands_only_where_that_is_named(run_verb: Run, folder: Path) -> None:
    """What a table leaves out as a test of given weights is no result of the run's best afterwards."""
    assert run_verb("train", f"resume={folder}", "train=false", "checkpoint=last").code == 0
    found = results(folder)
    assert found["test"]
    assert found["objective"][GAP] is None
    assert run_verb("train", f"resume={folder}", "train=false", "checkpoint=null", "test=false").code == 0
    assert results(folder) == {**found, "test": {}}


@pytest.mark.parametrize("changed", [["optimizer.lr=0"], []], ids=str)
def test_a_best_of_later_steps_is_none_of_a_run_that_goes_another_way(
    run_verb: Run, monkeypatch: pytest.MonkeyPatch, changed: list[str]
) -> None:
    """A killed run goes on from a last.ckpt that may be older than its best.ckpt; unchanged, it comes there again."""
    report, times = Keeper.report, list[int]()

    def fail(*given: Any) -> None:
        times.append(1)
        if len(times) == 3:
            raise InputError("the machine ends")
        report(*given)

    with monkeypatch.context() as patch:
        patch.setattr(Keeper, "report", fail)
        run = run_verb("train", *BEGUN, "trainer.max_epochs=2", "save_every=3600")
    folder = run.folder
    last, best = (torch.load(folder / "checkpoints" / f"{name}.ckpt", weights_only=True) for name in ("last", "best"))
    assert (last["global_step"], best["global_step"], run.manifest["objective"]["best_epoch"]) == (0, 4, 1)
    resumed = run_verb("train", f"resume={folder}", *changed)
    assert resumed.code == 0, resumed.err
    aside = folder / "checkpoints" / "best_of_step_4.ckpt"
    assert aside.exists() == bool(changed)
    assert ("best.ckpt is of step 4, before the change: it is best_of_step_4.ckpt now" in resumed.out) == bool(changed)
    after = torch.load(folder / "checkpoints" / "best.ckpt", weights_only=True)
    assert after["config"]["optimizer"]["lr"] == (0 if changed else best["config"]["optimizer"]["lr"])
    assert run.manifest["objective"]["best_step"] == after["global_step"] == (2 if changed else 4)


def test_no_best_of_another_way_is_reported_where_nothing_is_measured_after_it(
    run_verb: Run, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    last = folder / "checkpoints" / "last.ckpt"
    content = torch.load(last, weights_only=True)
    best = torch.load(folder / "checkpoints" / "best.ckpt", weights_only=True)
    torch.save({**best, "global_step": content["global_step"] + 2}, folder / "checkpoints" / "best.ckpt")

    def fail(*given: Any) -> None:
        raise InputError("the machine ends")

    monkeypatch.setattr("atelier.tasks.classifier.Classifier.training_step", fail)
    assert run_verb("train", f"resume={folder}", *LONGER, "optimizer.lr=0").code == 2
    found = results(folder)
    assert (found["objective"]["best"], found["objective"][GAP], found["test"]) == (None, None, {})
