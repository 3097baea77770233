"""The only module that uses private names of Lightning.

Each entry states its gain. tests/test_internals.py tests each entry, so that a version of Lightning without a private
name fails a test of that entry.
"""

import os
from contextlib import nullcontext
from subprocess import TimeoutExpired
from typing import Any

import lightning.pytorch as lightning
import torch
from lightning.pytorch.profilers import PassThroughProfiler


def resume_exactly(trainer: lightning.Trainer) -> None:
    """Make a resumed run repeat the uninterrupted run to the last digit; called in `on_train_start`.

    Lightning departs from that in three cases:

    - A scheduler that needs the run's length sets up the loaders before the checkpoint's loops are read. The training
      loader then never gets its position in the epoch, and starts the epoch again.
    - For a checkpoint written in `on_train_epoch_start`, or with trainer.max_steps at the end of a training and of an
      epoch, Lightning takes the counters of the finished epoch for those of the next epoch, and skips that epoch.
    - At the end of the first epoch of a resumed run, Lightning does not step a plateau scheduler.
    """
    loop: Any = trainer.fit_loop
    loop._load_combined_loader_states()
    if loop.epoch_progress.current.ready == loop.epoch_progress.current.completed:  # no epoch has begun
        loop.epoch_loop.restarting = False
    loop._restarting = False


def validation_follows(trainer: lightning.Trainer) -> bool:
    """Whether a validation follows this batch at once; called in `on_train_batch_end`.

    Gain: no checkpoint is written before that validation, which Lightning would skip when it resumes.
    """
    loop: Any = trainer.fit_loop
    return loop.epoch_loop._should_check_val_fx(loop._data_fetcher)


def write_logged(trainer: lightning.Trainer) -> None:
    """Give the loggers what this step has logged; called before a run stops in `on_train_batch_end`.

    Gain: metrics.csv has the row of that step, which Lightning would write after the hook.
    """
    trainer._logger_connector.update_train_step_metrics()


def leave_epoch_open(trainer: lightning.Trainer) -> None:
    """Mark the epoch as unfinished; called in `on_train_end` of a run whose steps ended in the middle of an epoch.

    Gain: the run, resumed with more steps, continues in the middle of the epoch, which Lightning counts as finished.
    """
    progress: Any = trainer.fit_loop.epoch_progress
    for counts in (progress.current, progress.total):
        counts.processed -= 1
        counts.completed -= 1


def count_on(trainer: lightning.Trainer, epochs: int, steps: int) -> None:
    """Count epochs and steps from those of an earlier training; called before a test without a training.

    Gain: the test is logged after the training's metrics. Lightning would log it at epoch 0 and step 0.
    """
    loop: Any = trainer.fit_loop
    loop.epoch_progress.current.completed = epochs
    loop.epoch_loop._batches_that_stepped = steps


def end_processes(trainer: lightning.Trainer) -> None:
    """End the processes that Lightning started for further devices; each has ten seconds to end by itself.

    Gain: after an error in a process, no other process waits for it for ever.
    """
    for process in getattr(trainer.strategy.launcher, "procs", ()):
        try:
            process.wait(timeout=10)
        except TimeoutExpired:
            process.kill()


def ask_no_driver() -> None:
    """Speed up torch's check for a GPU on machines without one; called before a training.

    Lightning makes torch ask the driver at each check, and Adam and other optimizers check at every step. Gain: 7 % to
    16 % of the training time of a small network on a CPU, with torch built for CUDA.
    """
    if not torch.cuda.is_available():
        os.environ["PYTORCH_NVML_BASED_CUDA_CHECK"] = "0"


class QuickHooks:
    """A base class of tasks, before LightningModule: sets the current hook's name without nn.Module's `__setattr__`.

    Lightning sets that name 40 times in a step. Gain: 4 % of the CPU time of a step, for the network and the batches of
    32 in tests/bench.
    """

    def __setattr__(self, name: str, value: Any) -> None:
        if name == "_current_fx_name":
            self.__dict__[name] = value
        else:
            super().__setattr__(name, value)


class NoProfiler(PassThroughProfiler):
    """The profiler of runs without profiling: enters an empty context at 42 places in a step, instead of a generator.

    Gain: 2 % of the CPU time of the same step.
    """

    nothing = nullcontext()

    def profile(self, action_name: str) -> nullcontext[None]:  # type: ignore[override]
        return self.nothing
