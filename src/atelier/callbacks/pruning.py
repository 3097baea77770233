"""A callback that ends a trial of a search early if the search's pruner decides so."""

from collections.abc import Callable
from typing import Any

import lightning.pytorch as lightning
from lightning.pytorch.callbacks import Checkpoint


class Pruning(Checkpoint):
    """Reports the objective after each validation, and stops the training if the pruner decides so.

    It is a `Checkpoint`, since Lightning calls these after the task has logged the metrics of an epoch.

    Args:
        hopeless: (step, objective) to whether the run should end; called on rank 0 only.
        pruned: called on all ranks if the run ends.
    """

    def __init__(self, hopeless: Callable[[int, float], bool], pruned: Callable[[], None]) -> None:
        self.hopeless, self.pruned = hopeless, pruned

    def on_validation_end(self, trainer: lightning.Trainer, task: Any) -> None:
        if trainer.state.fn == "fit" and measured_by_validation(task):
            self.ask(trainer, task)

    def on_train_epoch_end(self, trainer: lightning.Trainer, task: Any) -> None:
        if not measured_by_validation(task):
            self.ask(trainer, task)

    def ask(self, trainer: lightning.Trainer, task: Any) -> None:
        """Report the objective. At the end of its training, or before its minimum, a run is not pruned."""
        if task.metric not in trainer.callback_metrics:  # `Keeper` raises the InputError
            return
        hopeless = False
        if trainer.is_global_zero:
            hopeless = self.hopeless(step(trainer), float(trainer.callback_metrics[task.metric]))
        if trainer.strategy.broadcast(hopeless) and past_minimum(trainer) and not at_end(trainer):
            trainer.should_stop = True
            self.pruned()


def step(trainer: lightning.Trainer) -> int:
    """The epoch, from 0; or the step, if steps limit the training or define the validation interval."""
    limited, every = trainer.max_steps > 0, trainer.check_val_every_n_epoch
    by_steps = limited or every is None or trainer.val_check_batch != trainer.num_training_batches
    return trainer.global_step if by_steps else trainer.current_epoch


def measured_by_validation(task: Any) -> bool:
    """Whether the metric has a new value with each validation; one of the training has it so where steps count."""
    return task.counts_steps or not task.metric.startswith("train/")


def at_end(trainer: lightning.Trainer) -> bool:
    last_epoch = trainer.max_epochs is not None and 0 <= trainer.max_epochs <= trainer.current_epoch + 1
    last_step = 0 < trainer.max_steps <= trainer.global_step
    return last_step or (last_epoch and trainer.is_last_batch)


def past_minimum(trainer: lightning.Trainer) -> bool:
    """Whether a training has its trainer.min_epochs and min_steps.

    Lightning keeps a wish to stop before, and stops there, whatever the metric has become by then.
    """
    epochs = trainer.current_epoch + trainer.is_last_batch  # that are done
    return epochs >= (trainer.min_epochs or 0) and trainer.global_step >= (trainer.min_steps or 0)
