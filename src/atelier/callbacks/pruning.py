"""Ends a run early when the search that it belongs to sees no hope in it."""

from collections.abc import Callable
from typing import Any

import lightning.pytorch as lightning
from lightning.pytorch.callbacks import Checkpoint


class Pruning(Checkpoint):
    """Reports the objective after each validation, and stops the training when told to.

    To Lightning it is a `Checkpoint`: those are called once the task has logged what it has to say of an epoch.

    Args:
        hopeless: told (step, objective), whether the run should end; asked in the run's first process alone.
        pruned: called in every process if so.
    """

    def __init__(self, hopeless: Callable[[int, float], bool], pruned: Callable[[], None]) -> None:
        self.hopeless, self.pruned = hopeless, pruned

    def on_validation_end(self, trainer: lightning.Trainer, task: Any) -> None:
        if trainer.state.fn == "fit" and not task.metric.startswith("train/"):
            self.ask(trainer, task)

    def on_train_epoch_end(self, trainer: lightning.Trainer, task: Any) -> None:
        if task.metric.startswith("train/"):
            self.ask(trainer, task)

    def ask(self, trainer: lightning.Trainer, task: Any) -> None:
        """A run that is at its end anyway is reported, since others are compared with it, and not pruned."""
        if task.metric not in trainer.callback_metrics:  # what is wrong then is told by the run's keeper
            return
        hopeless = False
        if trainer.is_global_zero:
            hopeless = self.hopeless(step(trainer), float(trainer.callback_metrics[task.metric]))
        if trainer.strategy.broadcast(hopeless) and not at_end(trainer):
            trainer.should_stop = True
            self.pruned()


def step(trainer: lightning.Trainer) -> int:
    """How far the training is, counted from 0: in epochs, or in steps where these limit it or tell when to validate."""
    limited, every = trainer.max_steps > 0, trainer.check_val_every_n_epoch
    by_steps = limited or every is None or trainer.val_check_batch != trainer.num_training_batches
    return trainer.global_step if by_steps else trainer.current_epoch


def at_end(trainer: lightning.Trainer) -> bool:
    last_epoch = trainer.max_epochs is not None and 0 <= trainer.max_epochs <= trainer.current_epoch + 1
    last_step = 0 < trainer.max_steps <= trainer.global_step
    return last_step or (last_epoch and trainer.is_last_batch)
