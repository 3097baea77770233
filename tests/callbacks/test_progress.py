"""What the terminal is told of a run's progress, in epochs and in steps."""

import io
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from atelier.callbacks.progress import TrainingProgress


def trainer(**values: Any) -> Any:
    known = {
        "is_global_zero": True,
        "estimated_stepping_batches": 1200,
        "callback_metrics": {"val/loss": torch.tensor(0.25)},
        "state": SimpleNamespace(fn="fit"),
        "current_epoch": 0,
        "max_epochs": -1,
        "max_steps": -1,
        "global_step": 0,
        "accumulate_grad_batches": 1,
    }
    return SimpleNamespace(**{**known, **values})


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """`clock[0]` is the time in seconds."""
    now = [0.0]
    monkeypatch.setattr("atelier.callbacks.progress.time", SimpleNamespace(monotonic=lambda: now[0]))
    return now


def test_a_run_of_steps_tells_of_each_validation(clock: list[float], capsys: pytest.CaptureFixture[str]) -> None:
    progress, task = TrainingProgress(), SimpleNamespace(counts_steps=True, metric="val/loss")
    progress.on_train_start(trainer(max_steps=1200), task)
    clock[0] = 5.0
    progress.on_validation_end(trainer(max_steps=1200, global_step=400), task)
    progress.on_train_epoch_start(trainer(max_steps=1200, global_step=400, current_epoch=1), task)
    clock[0] = 15.0
    progress.on_validation_end(trainer(max_steps=1200, global_step=1200), task)
    progress.on_train_end(trainer(max_steps=1200, global_step=1200), task)
    assert capsys.readouterr().out.splitlines() == [
        "step 400/1,200  val/loss 0.25  5 s  10 s left",
        "step 1,200/1,200  val/loss 0.25  15 s",
    ]


def test_a_run_of_epochs_tells_of_each_epoch(clock: list[float], capsys: pytest.CaptureFixture[str]) -> None:
    progress, task = TrainingProgress(), SimpleNamespace(counts_steps=False, metric="val/loss")
    progress.on_train_start(trainer(max_epochs=3), task)
    progress.on_train_epoch_start(trainer(max_epochs=3), task)
    clock[0] = 4.0
    progress.on_validation_end(trainer(max_epochs=3, global_step=400), task)
    progress.on_train_epoch_start(trainer(max_epochs=3, global_step=400, current_epoch=1), task)
    clock[0] = 8.0
    progress.on_train_epoch_start(trainer(max_epochs=3, global_step=800, current_epoch=2), task)  # without a validation
    clock[0] = 12.0
    progress.on_validation_end(trainer(max_epochs=3, global_step=1200, current_epoch=2), task)
    progress.on_train_end(trainer(max_epochs=3, global_step=1200, current_epoch=3), task)
    assert capsys.readouterr().out.splitlines() == [
        "epoch 1/3  val/loss 0.25  4 s  8 s left",
        "epoch 2/3    8 s  4 s left",
        "epoch 3/3  val/loss 0.25  12 s",
    ]


def test_validations_that_follow_each_other_quickly_share_a_line(
    clock: list[float], capsys: pytest.CaptureFixture[str]
) -> None:
    progress, task = TrainingProgress(), SimpleNamespace(counts_steps=True, metric="val/loss")
    progress.on_train_start(trainer(max_steps=1200), task)
    for step in range(1, 30):
        clock[0] += 0.125
        progress.on_validation_end(trainer(max_steps=1200, global_step=step), task)
    progress.on_train_end(trainer(max_steps=1200, global_step=29), task)
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[1] for line in lines] == ["8/1,200", "16/1,200", "24/1,200", "29/1,200"]


def test_a_resumed_run_tells_of_its_own_steps_how_long_they_take(
    clock: list[float], capsys: pytest.CaptureFixture[str]
) -> None:
    progress, task = TrainingProgress(), SimpleNamespace(counts_steps=False, metric="val/loss")
    progress.on_train_start(trainer(max_epochs=3, global_step=400, current_epoch=1), task)
    progress.on_train_epoch_start(trainer(max_epochs=3, global_step=400, current_epoch=1), task)
    clock[0] = 6.0
    progress.on_train_epoch_start(trainer(max_epochs=3, global_step=800, current_epoch=2), task)
    assert capsys.readouterr().out == "epoch 2/3    6 s  6 s left\n"


class Terminal(io.StringIO):
    """A stream of the program's that is shown above a live display, and written into a log."""

    live, noted = None, ""

    def isatty(self) -> bool:
        return True

    def note(self, line: str) -> None:
        self.noted += f"{line}\n"


def test_a_bar_shows_the_newest_loss_and_a_validation_but_not_more_often_than_it_can_be_read(
    clock: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    out, err = Terminal(), Terminal()
    monkeypatch.setattr("sys.stdout", out)
    monkeypatch.setattr("sys.stderr", err)
    progress, task = TrainingProgress(), SimpleNamespace(counts_steps=False, metric="val/accuracy")
    progress.on_train_start(trainer(max_epochs=3), task)
    bar = progress.bar
    assert bar is not None
    assert out.live is err.live is bar.console

    def shown() -> tuple[str, float, str]:
        return bar.tasks[0].description, bar.tasks[0].completed, bar.tasks[0].fields["score"]

    for seconds, step, outputs in ((0.05, 1, 9), (0.15, 2, {"loss": torch.tensor(0.5)}), (0.2, 3, 9)):
        clock[0] = seconds
        progress.on_train_batch_end(trainer(max_epochs=3, global_step=step), task, outputs, None, 0)
    assert shown() == ("epoch 1/3", 2, "loss 0.5")
    accumulating = trainer(max_epochs=3, global_step=2, accumulate_grad_batches=4)
    clock[0] = 0.26
    progress.on_train_batch_end(accumulating, task, {"loss": torch.tensor(0.125)}, None, 0)
    assert shown() == ("epoch 1/3", 2, "loss 0.5"), "of four batches, Lightning divides each loss by four"
    progress.on_validation_batch_end(trainer(max_epochs=3, global_step=3), task, None, None, 0)
    assert shown() == ("epoch 1/3", 2, "loss 0.5")
    clock[0], known = 0.4, {"val/accuracy": torch.tensor(0.25)}
    progress.on_validation_batch_end(
        trainer(max_epochs=3, global_step=3, current_epoch=1, callback_metrics=known), task, None, None, 0
    )
    assert shown() == ("epoch 2/3", 3, "validating  val/accuracy 0.25")
    progress.on_train_end(trainer(max_epochs=3, global_step=1200, current_epoch=3), task)
    assert (out.getvalue(), out.noted) == ("", "epoch 3/3    0 s\n"), "in the log; the terminal has the bar"
    assert out.live is err.live is progress.bar is None


def test_a_run_without_an_end_has_a_bar_without_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """As trainer.max_epochs=-1 until trainer.patience stops it; Rich cannot tell what is left of infinitely many."""
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    progress, task = TrainingProgress(), SimpleNamespace(counts_steps=False, metric="val/loss")
    endless = trainer(estimated_stepping_batches=float("inf"))
    progress.on_train_start(endless, task)
    bar = progress.bar
    assert bar is not None
    for step in (100, 200, 300):
        progress.show(trainer(estimated_stepping_batches=float("inf"), global_step=step), task)
    assert bar.tasks[0].completed == 300
    table = bar.make_tasks_table(bar.tasks)
    bar.console.print(table)
    progress.on_exception(endless, task, KeyboardInterrupt())
    assert progress.bar is None
