"""A callback that measures the test set after every epoch, for reports that draw it; no choice depends on it."""

from typing import Any

import lightning.pytorch as lightning

from atelier.callbacks.watcher import Watcher
from atelier.errors import InputError


class WatchTest(Watcher):
    """Logs `test/<name>` beside each `val/<name>`, measured in the same way; it changes no other number.

    Raises:
        InputError: if `task.metric` is a test metric, or the task is generative.
    """

    def setup(self, trainer: lightning.Trainer, task: Any, stage: str) -> None:
        if task.metric.startswith("test/"):
            raise InputError(f"task.metric={task.metric}: a test metric selects no checkpoint; give a metric of val/")
        if hasattr(task, "pictures"):
            raise InputError("callbacks.watch_test: only for tasks that predict; this task is generative")

    def on_train_epoch_end(self, trainer: lightning.Trainer, task: Any) -> None:
        if not task.counts_steps:
            task.pass_over("test", "test/")

    def on_validation_epoch_start(self, trainer: lightning.Trainer, task: Any) -> None:
        if task.counts_steps and trainer.state.fn == "fit":
            task.pass_over("test", "test/")
