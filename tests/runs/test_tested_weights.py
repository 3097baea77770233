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
