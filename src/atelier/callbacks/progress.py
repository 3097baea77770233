"""A callback that shows the progress of a training: a live bar on a terminal, lines elsewhere."""

import sys
import time
from typing import Any

import lightning.pytorch as lightning
from lightning.pytorch.callbacks import Callback
from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, TextColumn, TimeRemainingColumn

REFRESH = 0.1  # seconds


class TrainingProgress(Callback):
    """Shows loss, objective and remaining time.

    On a terminal, a bar spans the whole run; it is refreshed by time, and not at every step, which would be slow.
    Elsewhere, a line follows each epoch (each validation if the run counts steps), at most every second.
    """

    def __init__(self) -> None:
        self.bar: Progress | None = None
        self.last = 0.0
        self.loss = ""
        self.began = 0.0
        self.told = 0  # step of the last line

    def on_train_start(self, trainer: lightning.Trainer, task: Any) -> None:
        self.began, self.first_step = time.monotonic(), trainer.global_step
        self.told, self.validated = trainer.global_step, False  # whether the validation metrics are new
        if trainer.is_global_zero and sys.stderr.isatty():
            steps = trainer.estimated_stepping_batches
            self.bar = live_bar(TextColumn("{task.fields[score]}", markup=False))
            self.task = self.bar.add_task("training", total=steps if steps < float("inf") else None, score="")
            self.bar.start()
            attach_streams(self.bar.console)
            self.show(trainer, task)

    def on_train_batch_end(
        self, trainer: lightning.Trainer, task: Any, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        if self.bar is None or time.monotonic() - self.last < REFRESH:
            return
        loss = outputs.get("loss") if isinstance(outputs, dict) else outputs
        if loss is not None:
            self.loss = f"loss {float(loss) * trainer.accumulate_grad_batches:.4g}"  # Lightning has divided it
        self.show(trainer, task)

    def on_validation_batch_end(
        self,
        trainer: lightning.Trainer,
        task: Any,
        outputs: Any,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        if self.bar is not None and time.monotonic() - self.last > REFRESH:
            self.show(trainer, task, "validating")

    def show(self, trainer: lightning.Trainer, task: Any, doing: str = "") -> None:
        assert self.bar is not None
        self.last = time.monotonic()
        place = steps_of(trainer) if task.counts_steps else f"epoch {trainer.current_epoch + 1}{epochs_of(trainer)}"
        score = "  ".join(part for part in (doing or self.loss, objective(trainer, task)) if part)
        self.bar.update(self.task, description=place, completed=trainer.global_step, score=score)

    def on_train_epoch_start(self, trainer: lightning.Trainer, task: Any) -> None:
        if not task.counts_steps:
            self.tell(trainer, f"epoch {trainer.current_epoch}{epochs_of(trainer)}")

    def on_validation_end(self, trainer: lightning.Trainer, task: Any) -> None:
        self.validated = True
        if task.counts_steps and trainer.state.fn == "fit":
            self.tell(trainer, steps_of(trainer))

    def on_train_end(self, trainer: lightning.Trainer, task: Any) -> None:
        place = steps_of(trainer) if task.counts_steps else f"epoch {trainer.current_epoch}{epochs_of(trainer)}"
        self.tell(trainer, place, last=True)
        self.close()

    def tell(self, trainer: lightning.Trainer, place: str, last: bool = False) -> None:
        """Print the line of a finished epoch or validation; called when all its metrics are logged."""
        done, now = trainer.global_step - self.first_step, time.monotonic()
        if not trainer.is_global_zero or trainer.global_step == self.told:
            return
        new = {n: v for n, v in trainer.callback_metrics.items() if self.validated or not n.startswith("val/")}
        metrics = "  ".join(f"{name} {float(value):.4g}" for name, value in sorted(new.items()))
        seconds, total = now - self.began, trainer.estimated_stepping_batches - self.first_step
        left = f"  {seconds * (total - done) / done:.0f} s left" if done < total < float("inf") else ""
        line = f"{place}  {metrics}  {seconds:.0f} s{left}"
        if self.bar is not None:
            note_in_logs(line)
        elif last or now - self.last >= 1:
            self.last = now
            print(line, flush=True)
        else:
            return
        self.told, self.validated = trainer.global_step, False

    def on_exception(self, trainer: lightning.Trainer, task: Any, error: BaseException) -> None:
        self.close()

    def close(self) -> None:
        if self.bar is not None:
            self.bar.stop()
            attach_streams(None)
            self.bar = None


def steps_of(trainer: lightning.Trainer) -> str:
    limit = f"/{trainer.max_steps:,}" if trainer.max_steps > 0 else ""
    return f"step {trainer.global_step:,}{limit}"


def epochs_of(trainer: lightning.Trainer) -> str:
    """The limit of the epochs, if there is one."""
    return f"/{trainer.max_epochs}" if (trainer.max_epochs or -1) > 0 else ""


def objective(trainer: lightning.Trainer, task: Any) -> str:
    value = trainer.callback_metrics.get(task.metric)
    return "" if value is None else f"{task.metric} {float(value):.4g}"


def live_bar(*more: ProgressColumn) -> Progress:
    """A progress bar on the terminal; `attach_streams` shows printed text above it."""
    terminal = getattr(sys.stderr, "terminal", sys.stderr)
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(15),
        *more,
        TimeRemainingColumn(),
        TextColumn("left"),
    )
    console = Console(file=terminal, markup=False, emoji=False)
    return Progress(*columns, console=console, redirect_stdout=False, redirect_stderr=False, refresh_per_second=10)


def attach_streams(console: Console | None) -> None:
    """Print the output of the program above the live display of `console`."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "live"):
            stream.live = console


def note_in_logs(line: str) -> None:
    if hasattr(sys.stdout, "note"):
        sys.stdout.note(line)
