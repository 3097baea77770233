"""Trainings that come to places: `<name of the run's folder>@start`, before each batch `…@<steps so far>`, `…@test`.

Lightning gives every Trainer what the entry point `lightning.pytorch.callbacks_factory` makes, and finds it only in a
process that has this folder on its PYTHONPATH. Tests put it there; no configuration can name or build it.
"""

from pathlib import Path
from typing import Any

from hold import come_to
from lightning.pytorch import Trainer
from lightning.pytorch.callbacks import Callback


class Hold(Callback):
    def on_fit_start(self, trainer: Trainer, task: Any) -> None:
        come_to(f"{Path(trainer.default_root_dir).name}@start")

    def on_train_batch_start(self, trainer: Trainer, task: Any, batch: Any, batch_index: int) -> None:
        come_to(f"{Path(trainer.default_root_dir).name}@{trainer.global_step}")

    def on_test_start(self, trainer: Trainer, task: Any) -> None:
        come_to(f"{Path(trainer.default_root_dir).name}@test")


def callbacks() -> list[Callback]:
    return [Hold()]
