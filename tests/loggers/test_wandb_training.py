"""Whole trainings with W&B, offline: what W&B's own file holds in the end."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from atelier.runs.rows import read_metrics

Run = Callable[..., Any]
Reader = Callable[[Path], Any]


@pytest.fixture(autouse=True)
def _offline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANDB_MODE", "offline")


def steps(outcome: Any) -> list[int]:
    """The training steps that metrics.csv has rows for."""
    return sorted({int(row["step"]) for row in read_metrics(outcome.folder / "metrics.csv")})


@pytest.mark.slow
def test_a_training_with_both_loggers_tells_wandb_what_metrics_csv_holds(
    run_verb: Run, tiny: list[str], recorded_in: Reader
) -> None:
    outcome = run_verb("train", *tiny, "logger=[wandb,tensorboard]")
    assert outcome.code == 0, outcome.err
    recorded = recorded_in(outcome.folder)
    assert [row["_step"] for row in recorded.history] == steps(outcome)
    assert recorded.summary["best"] == pytest.approx(outcome.manifest["objective"]["best"])
    for name, value in outcome.manifest["test"].items():
        assert recorded.summary[f"test/{name}"] == pytest.approx(value)
    assert recorded.exit_status == 0
    pictures = {key.removesuffix("._type") for key in recorded.summary if key.startswith("figures/") and "_type" in key}
    assert pictures == {"figures/training_pictures", "figures/curves", "figures/best_and_worst"}
    assert list(outcome.folder.glob("tensorboard/events.out.tfevents.*"))


def test_a_resumed_training_has_its_whole_history(run_verb: Run, tiny: list[str], recorded_in: Reader) -> None:
    first = run_verb("train", *tiny, "logger=wandb", "callbacks=none", "test=false")
    again = run_verb("train", f"resume={first.folder}", "trainer.max_epochs=3", logs=first.logs)
    assert again.code == 0, again.err
    recorded = recorded_in(again.folder)
    assert [row["_step"] for row in recorded.history] == steps(again)
    assert max(row["epoch"] for row in recorded.history) == 2


def test_a_sweep_has_its_report_now_and_later(run_verb: Run, tiny: list[str]) -> None:
    """W&B's folders hold links that lead out of the sweep's."""
    swept = run_verb("train", "-m", *tiny, "logger=wandb", "callbacks=none", "test=false", "optimizer.lr=0.1,0.01")
    assert swept.code == 0, swept.err
    again = run_verb("report", "sweep=latest", logs=swept.logs)
    assert (again.code, again.err) == (0, "")


@pytest.mark.slow
def test_a_failed_training_ends_its_wandb_run_as_failed(run_verb: Run, tiny: list[str], recorded_in: Reader) -> None:
    outcome = run_verb("train", *tiny, "logger=wandb", "task.metric=val/nothing")
    assert outcome.code != 0
    assert recorded_in(outcome.folder).exit_status == outcome.code


@pytest.mark.slow
def test_several_processes_are_one_wandb_run(run_process: Run, tiny: list[str], recorded_in: Reader) -> None:
    outcome = run_process("train", *tiny, "logger=wandb", "trainer=ddp_cpu", "trainer.max_epochs=1", "callbacks=none")
    assert outcome.code == 0, outcome.err
    assert [row["_step"] for row in recorded_in(outcome.folder).history] == steps(outcome)


@pytest.mark.slow
def test_a_training_with_a_key_and_no_network_ends_well_and_stays_offline(
    run_process: Run, tiny: list[str], recorded_in: Reader
) -> None:
    away = {"WANDB_MODE": "online", "WANDB_BASE_URL": "http://127.0.0.1:9", "WANDB_INIT_TIMEOUT": "2"}
    environment = {**away, "WANDB_API_KEY": "0" * 40}
    outcome = run_process("train", *tiny, "logger=wandb", "callbacks=none", "test=false", environment=environment)
    assert outcome.code == 0, outcome.err
    assert "stays offline since W&B cannot be reached" in outcome.out
    assert [row["_step"] for row in recorded_in(outcome.folder).history] == steps(outcome)
