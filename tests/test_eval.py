"""Testing a finished run again gives the numbers of its training, to the last digit."""

import csv
import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from atelier.runs.terminal import FAKE

Run = Callable[..., Any]


def printed(outcome: Any) -> dict[str, float]:
    """The metrics in the table that eval prints."""
    assert outcome.code == 0, outcome.err
    rows = re.findall(r"^\W (\w+/\w+) +\W (\S+) +\W$", outcome.out, re.MULTILINE)
    found = {name: float(value) for name, value in rows}
    assert found
    return found


def named(split: str, values: dict[str, float]) -> dict[str, float]:
    return {f"{split}/{name}": value for name, value in values.items()}


@pytest.fixture(scope="module")
def spoiled(run_verb: Run, tiny: list[str]) -> Any:
    """A run whose second epoch, at a thousand times the learning rate, ends with a larger loss than the first."""
    schedule = ["scheduler=step", "scheduler.scheduler.step_size=1", "scheduler.scheduler.gamma=1000"]
    few = ["trainer.limit_train_batches=9", "callbacks=none"]
    outcome = run_verb("train", *tiny, *schedule, *few, "task.metric=val/loss")
    assert outcome.manifest["objective"]["best_epoch"] == 0
    return outcome


def test_the_test_set_gives_the_numbers_of_the_training(run_verb: Run, trained: Any) -> None:
    again = run_verb("eval", f"run={trained.folder}")
    assert printed(again) == named("test", trained.manifest["test"])
    assert again.err == ""


def test_the_processor_gives_the_same_numbers(run_verb: Run, trained: Any) -> None:
    assert printed(run_verb("eval", f"run={trained.folder}", "trainer=cpu")) == named("test", trained.manifest["test"])


def test_the_best_checkpoint_is_meant(run_verb: Run, spoiled: Any) -> None:
    assert printed(run_verb("eval", f"run={spoiled.folder}")) == named("test", spoiled.manifest["test"])


@pytest.mark.parametrize(("checkpoint", "epoch"), [("best", 0), ("last", 1)])
def test_the_validation_set_gives_the_numbers_of_that_epoch(
    run_verb: Run, spoiled: Any, checkpoint: str, epoch: int
) -> None:
    again = printed(run_verb("eval", f"run={spoiled.folder}", "split=val", f"checkpoint={checkpoint}"))
    rows = list(csv.DictReader(spoiled.metrics.splitlines()))
    (row,) = [row for row in rows if row["val/loss"] and int(row["epoch"]) == epoch]
    assert again == {name: float(value) for name, value in row.items() if name.startswith("val/")}


def test_the_last_checkpoint_gives_other_numbers(run_verb: Run, tiny: list[str], spoiled: Any) -> None:
    last = spoiled.folder / "checkpoints" / "last.ckpt"
    expected = run_verb("train", *tiny, "train=false", f"checkpoint={last}", "callbacks=none").manifest["test"]
    again = printed(run_verb("eval", f"run={spoiled.folder}", "checkpoint=last"))
    assert again == named("test", expected)
    assert again != named("test", spoiled.manifest["test"])


def test_any_checkpoint_can_be_named(run_verb: Run, trained: Any, tmp_path: Path) -> None:
    copy = shutil.copy(trained.folder / "checkpoints" / "best.ckpt", tmp_path / "mine.ckpt")
    again = run_verb("eval", f"run={trained.folder}", f"checkpoint={copy}")
    assert printed(again) == named("test", trained.manifest["test"])
    assert str(copy) in again.out.replace("\n", "")


def test_the_training_set_can_be_evaluated(run_verb: Run, trained: Any) -> None:
    assert printed(run_verb("eval", f"run={trained.folder}", "split=train")).keys() == {
        f"train/{name}" for name in trained.manifest["test"]
    }


@pytest.mark.parametrize(("callback", "drawn"), [("extremes", True), ("weight_norms", False), ("curves", False)])
def test_figures_are_named_if_there_are_any(
    run_verb: Run, trained: Any, tmp_path: Path, callback: str, drawn: bool
) -> None:
    outcome = run_verb("eval", f"run={trained.folder}", f"+callbacks={callback}", f"output={tmp_path / 'out'}")
    assert outcome.code == 0, outcome.err
    told = f"Figures of the callbacks: {tmp_path / 'out' / 'figures'}"
    assert (told in outcome.out, f"{callback} drew none in this test" in outcome.out) == (drawn, not drawn)
    again = run_verb("eval", f"run={trained.folder}", f"output={tmp_path / 'out'}")
    assert "igures" not in again.out


@pytest.mark.parametrize("override", ["data.eval_batch_size=7", "+data.eval_batch_size=7"])
def test_the_batch_size_does_not_matter(run_verb: Run, trained: Any, override: str) -> None:
    again = printed(run_verb("eval", f"run={trained.folder}", override))
    assert again == pytest.approx(named("test", trained.manifest["test"]), rel=1e-5)


def test_latest_is_the_last_run(run_verb: Run, trained: Any) -> None:
    again = run_verb("eval", "run=latest", logs=trained.logs)
    assert printed(again) == named("test", trained.manifest["test"])


def test_a_run_can_be_evaluated_where_it_was_moved_to(run_verb: Run, trained: Any, tmp_path: Path) -> None:
    moved = shutil.copytree(trained.folder, tmp_path / "moved")
    assert printed(run_verb("eval", f"run={moved}")) == named("test", trained.manifest["test"])


def test_evaluating_changes_nothing_in_the_run(run_verb: Run, trained: Any, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(trained.folder, tmp_path / "copy"))
    before = {file: file.stat().st_mtime_ns for file in copy.rglob("*")}
    printed(run_verb("eval", f"run={copy}"))
    assert {file: file.stat().st_mtime_ns for file in copy.rglob("*")} == before


@pytest.mark.parametrize(
    ("override", "told"),
    [
        ("split=tset", "split=tset: give one of: train, val, test"),
        ("checkpoint=best.ckpt", "checkpoint=best.ckpt: there is no file best.ckpt"),
        ("trainer=tpu", "trainer=tpu: no 'tpu'; choose from: "),
    ],
)
def test_a_wrong_option_is_told(run_verb: Run, trained: Any, override: str, told: str) -> None:
    outcome = run_verb("eval", f"run={trained.folder}", override)
    assert outcome.code == 2
    assert outcome.err.startswith(told)
    assert len(outcome.err.splitlines()) <= 2


@pytest.mark.parametrize(
    ("overrides", "told"),
    [
        ([], "run is missing: give it as run=FOLDER or run=latest"),
        (["run=latest"], "there is no run under "),
        (["run=/nowhere"], "/nowhere is no run folder: it has no run.json"),
    ],
)
def test_without_a_run_it_says_what_is_missing(run_verb: Run, overrides: list[str], told: str) -> None:
    outcome = run_verb("eval", *overrides)
    assert outcome.code == 2
    assert outcome.err.startswith(told)


@pytest.mark.parametrize(
    ("override", "told"),
    [
        (
            "task.quarter_turn=false",
            "task.quarter_turn: ClockReader has no 'quarter_turn'; choose from: quarter_turns, ",
        ),
        ("network.hidden=[7]", "network: of a finished run, trainer, data, task can be changed\n"),
        ("+network.hidden=[7]", "network: of a finished run, trainer, data, task can be changed\n"),
        ("+mine=7", "mine: of a finished run, trainer, data, task can be changed\n"),
        ("trainer.devices=1", "trainer: no option is chosen; choose trainer=auto or "),
        ("+trainer.devices=1", "trainer: no option is chosen; choose trainer=auto or "),
        ("data=digits", "data: this command takes no data=; "),
    ],
)
def test_how_a_key_of_the_run_is_changed_is_told(run_verb: Run, trained: Any, override: str, told: str) -> None:
    outcome = run_verb("eval", f"run={trained.folder}", override)
    assert outcome.code == 2
    assert outcome.err.startswith(told)


@pytest.mark.parametrize("override", ["trainer.devices=1", "+trainer.devices=1"])
def test_what_an_export_may_change_is_told(run_verb: Run, trained: Any, override: str) -> None:
    outcome = run_verb("export", f"run={trained.folder}", override)
    assert outcome.code == 2
    assert outcome.err == "trainer: of a finished run, data, task can be changed\n"


def test_made_up_data_is_told_wherever_a_number_is_shown(run_verb: Run) -> None:
    fake = ["data=mnist", "data.source=fake", "network.hidden=[8]", "trainer=cpu", "trainer.max_epochs=1"]
    trained = run_verb("train", *fake, "callbacks=training_pictures")
    assert trained.code == 0, trained.err
    assert trained.out.count(FAKE) == 2, "at the start, and under the numbers"
    assert trained.out.splitlines()[-1] == FAKE
    assert run_verb("eval", f"run={trained.folder}").out.splitlines()[-1] == FAKE
    inputs = f"inputs={trained.folder / 'figures' / 'training_pictures.png'}"
    predicted = run_verb("predict", f"run={trained.folder}", inputs, "format=json")
    assert predicted.err == f"{FAKE}\n"
    assert json.loads(predicted.out)
    assert "  completed, fake  " in run_verb("report", logs=trained.logs).out


def test_real_data_is_not_called_made_up(run_verb: Run, trained: Any) -> None:
    assert "fake" not in trained.out + run_verb("eval", f"run={trained.folder}").out
    assert "fake" not in run_verb("report", logs=trained.logs).out
