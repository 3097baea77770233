"""What the project uses of Lightning beyond its public interface: nothing of that stands anywhere else.

Each entry says what it gains. tests/test_internals.py has a test of each, so that a version of Lightning that takes one
away fails there, by its name.
"""

import os
from contextlib import nullcontext
from subprocess import TimeoutExpired
from typing import Any

import lightning.pytorch as lightning
import torch
from lightning.pytorch.profilers import PassThroughProfiler


def resume_exactly(trainer: lightning.Trainer) -> None:
    """To be called in `on_train_start`. Gains that a resumed run repeats what it would have done, to the last digit.

    Of itself, Lightning departs from that in three places:

    - A schedule that asks for the run's length has the loaders set up before the checkpoint's loops are read. The place
      in the epoch is then never handed to the training loader, which begins the epoch anew.
    - Of a checkpoint written in `on_train_epoch_start`, it takes the finished epoch's counters for those of the epoch
      to come, and skips that.
    - At the end of the first epoch of a resumed run, it does not step a schedule that waits for a plateau.
    """
    loop: Any = trainer.fit_loop
    loop._load_combined_loader_states()
    if loop.restarted_on_epoch_start:
        loop.epoch_loop.restarting = False
    loop._restarting = False


def validation_follows(trainer: lightning.Trainer) -> bool:
    """In `on_train_batch_end`: whether a validation follows this batch at once.

    Gains that no checkpoint is written in between: Lightning would take the validation for done, and leave it out.
    """
    loop: Any = trainer.fit_loop
    return loop.epoch_loop._should_check_val_fx(loop._data_fetcher)


def leave_epoch_open(trainer: lightning.Trainer) -> None:
    """To be called in `on_train_end` of a run that ended after so many steps, in the middle of an epoch.

    Lightning counts the epoch as finished. Gains that the run, given more steps, goes on in the epoch's middle.
    """
    progress: Any = trainer.fit_loop.epoch_progress
    for counts in (progress.current, progress.total):
        counts.processed -= 1
        counts.completed -= 1


def end_processes(trainer: lightning.Trainer) -> None:
    """End those that Lightning started for further devices: each has ten seconds to end by itself.

    Gains that none of them waits for the others for ever, where one has failed.
    """
    for process in getattr(trainer.strategy.launcher, "procs", ()):
        try:
            process.wait(timeout=10)
        except TimeoutExpired:
            process.kill()


def ask_no_driver() -> None:
    """To be called before a training: where there is no GPU, the question whether there is one is answered quickly.

    Lightning has torch ask the driver each time, and Adam and others ask at every step. Gains 7 % to 16 % of a small
    network's training on a processor, with torch built for CUDA.
    """
    if not torch.cuda.is_available():
        os.environ["PYTORCH_NVML_BASED_CUDA_CHECK"] = "0"


class QuickHooks:
    """Base of a LightningModule, before Lightning's own: a hook's name is noted without a look for parameters in it.

    Lightning notes the current hook's name on the module 40 times a step. Gains 4 % of the processor time of a step of
    the network and batches of 32 of tests/bench.py.
    """

    def __setattr__(self, name: str, value: Any) -> None:
        if name == "_current_fx_name":
            self.__dict__[name] = value
        else:
            super().__setattr__(name, value)


class NoProfiler(PassThroughProfiler):
    """For runs that are not profiled: around each of 42 places in a step stands nothing, in the place of a generator.

    Gains 2 % of the same.
    """

    nothing = nullcontext()

    def profile(self, action_name: str) -> nullcontext[None]:  # type: ignore[override]
        return self.nothing
