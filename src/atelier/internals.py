"""What the project uses of Lightning beyond its public interface: nothing of that stands anywhere else.

Each entry says what it gains. tests/test_internals.py has a test of each, so that a version of Lightning that takes one
away fails there, by its name.
"""

from collections.abc import Sequence
from subprocess import Popen
from typing import Any

import lightning.pytorch as lightning


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


def other_processes(trainer: lightning.Trainer) -> Sequence[Popen[bytes]]:
    """Those that Lightning started for further devices. Gains that none of them outlives a broken run, or hangs it."""
    return getattr(trainer.strategy.launcher, "procs", ())
