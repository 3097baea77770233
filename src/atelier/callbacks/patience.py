"""A callback that ends a training when the task's metric has stopped improving."""

import math
from collections.abc import Callable
from typing import Any

import lightning.pytorch as lightning
from lightning.pytorch.callbacks import Checkpoint

from atelier.callbacks.pruning import at_end, measured_by_validation, past_minimum


class Patience(Checkpoint):
    """Counts the validations since the best value, and stops the training when there are `patience` of them.

    NaN is no improvement. A run that counts epochs ends with an epoch, one that counts steps with a validation. The
    count is saved in the checkpoint, and so is its end, so that a run that is resumed after it stops again at once,
    unless it has more patience now. Lightning's EarlyStopping goes on then.

    It is a `Checkpoint`, since Lightning calls these after the task has logged the metrics of an epoch.

    Args:
        patience: number of validations in a row without improvement, 1 or more.
        record: called on rank 0 with the number of epochs or steps after which the run stops early.
    """

    def __init__(self, patience: int, record: Callable[[int], None]) -> None:
        self.patience, self.record = patience, record
        self.best: float | None = None
        self.best_at = 0  # number of epochs or steps at the best value
        self.waited = 0  # number of validations since
        self.over_at: int | None = None  # number of epochs or steps when that was enough

    def on_validation_end(self, trainer: lightning.Trainer, task: Any) -> None:
        if trainer.state.fn == "fit" and measured_by_validation(task):
            self.count(trainer, task)
            if task.counts_steps:
                self.decide(trainer, task)

    def on_train_epoch_end(self, trainer: lightning.Trainer, task: Any) -> None:
        if not task.counts_steps:
            if not measured_by_validation(task):
                self.count(trainer, task)
            self.decide(trainer, task)

    def count(self, trainer: lightning.Trainer, task: Any) -> None:
        if task.metric not in trainer.callback_metrics:  # `Keeper` raises the InputError
            return
        value = trainer.strategy.broadcast(float(trainer.callback_metrics[task.metric]))
        better = self.best is None or (value < self.best if task.mode == "min" else value > self.best)
        if better and not math.isnan(value):
            self.best, self.best_at, self.waited = value, place(trainer, task), 0
        else:
            self.waited += 1

    def decide(self, trainer: lightning.Trainer, task: Any) -> None:
        self.over_at = place(trainer, task) if self.waited >= self.patience and past_minimum(trainer) else None
        if self.over_at is not None and not at_end(trainer):
            trainer.should_stop = True

    def on_train_end(self, trainer: lightning.Trainer, task: Any) -> None:
        if trainer.should_stop:
            self.tell(trainer, task)

    def tell(self, trainer: lightning.Trainer, task: Any) -> None:
        """Print and record that the run stops early."""
        if trainer.is_global_zero and self.over_at is not None:
            unit = "step" if task.counts_steps else "epoch"
            best = "never a number" if self.best is None else f"best {self.best:.4g} at {unit} {self.best_at:,}"
            waited = f"{self.waited} validation{'s' * (self.waited != 1)} without a better {task.metric}"
            print(f"Stopped early after {unit} {self.over_at:,}: {waited} ({best}; trainer.patience={self.patience})")
            self.record(self.over_at)

    def on_save_checkpoint(self, trainer: lightning.Trainer, task: Any, checkpoint: dict[str, Any]) -> None:
        """Not `state_dict`: Lightning warns when a checkpoint has one of a callback that the run has no more."""
        names = ("best", "best_at", "waited", "over_at")
        checkpoint["patience"] = {name: getattr(self, name) for name in names}

    def on_load_checkpoint(self, trainer: lightning.Trainer, task: Any, checkpoint: dict[str, Any]) -> None:
        if trainer.state.fn != "fit":
            return
        vars(self).update(checkpoint.get("patience", {}))
        epochs, steps = trainer.max_epochs or -1, trainer.max_steps
        complete = 0 < epochs <= checkpoint["epoch"] or 0 < steps <= checkpoint["global_step"]
        if self.over_at is not None and self.waited >= self.patience and not complete:
            trainer.should_stop = True
            self.tell(trainer, task)


def place(trainer: lightning.Trainer, task: Any) -> int:
    """The number of steps, or of epochs with the present one, in the unit that the run counts."""
    return trainer.global_step if task.counts_steps else trainer.current_epoch + 1
