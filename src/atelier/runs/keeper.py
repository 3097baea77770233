"""A callback that writes the checkpoints and the progress in run.json, and restores a resumed run exactly."""

import math
import os
import sys
import time
from pathlib import Path
from typing import Any

import lightning.pytorch as lightning
import torch
import torch.distributed
from lightning.pytorch.callbacks import Checkpoint

from atelier.errors import InputError, not_logged
from atelier.internals import count_on, leave_epoch_open, resume_exactly, validation_follows, write_logged
from atelier.runs.changes import Takeover
from atelier.runs.checkpoint import open_checkpoint
from atelier.runs.folder import RunFolder
from atelier.runs.generators import State, random_state, seed_generators, set_random_state
from atelier.runs.interrupt import Interrupted, StopRequest
from atelier.runs.manifest import UNTESTED, Manifest
from atelier.runs.rows import GAPS, read_curves

CONSULT_EVERY = 16  # steps between two collective checks of several processes for a signal


class Keeper(Checkpoint):
    """Writes `last.ckpt` before an epoch and at the end, and `best.ckpt` when the objective improves.

    Lightning's ModelCheckpoint saves before an epoch's schedulers and loggers have run, and without the states of the
    random generators. Keeper writes `last.ckpt` at the start of the next epoch, when both are done, so that a run which
    is killed and resumed from it gives the same numbers as an uninterrupted run. It also saves after a validation in
    the middle of an epoch. Both save only if the last checkpoint is at least `save_every` seconds old.

    Args:
        folder: the run's folder.
        manifest: the folder's run.json.
        config: the resolved configuration, saved in every checkpoint.
        stop: the signal handler, which says whether to stop.
    """

    def __init__(self, folder: RunFolder, manifest: Manifest, config: dict[str, Any], stop: StopRequest) -> None:
        self.folder, self.manifest, self.config, self.stop = folder, manifest, config, stop
        self.best: dict[str, Any] = dict.fromkeys(("best", "best_epoch", "best_step"))  # best_step: steps done
        self.random: list[State] = []  # the loaded checkpoint's random states, by rank
        self.saved = -math.inf  # clock when last.ckpt was written
        self.spent: Any = dict  # a function that returns `seconds` of run.json by now
        self.writes_best = False  # best.ckpt, which is tested and used, holds no optimizer's state
        self.unsaved = False  # whether a validation in the middle of an epoch still needs its checkpoint
        self.started = (0.0, 0)  # clock and step when fitting began
        self.judged = False  # whether the objective has been measured
        self.tests = False  # whether a test has begun
        self.sound, self.diverged = 0, False  # the last step known to have a finite loss; whether a loss was not finite
        self.takeover: Takeover | None = None  # for a run that resumes with a changed configuration

    # ------------------------------------------------------------------ training

    def on_fit_start(self, trainer: lightning.Trainer, task: Any) -> None:
        if self.takeover:
            self.takeover.note(trainer)

    def setup(self, trainer: lightning.Trainer, task: Any, stage: str) -> None:
        """Print and record the description of the data."""
        if trainer.is_global_zero and (stage == "fit" or not self.config["train"]):
            known, lines = trainer.datamodule.account()  # type: ignore[attr-defined]
            self.manifest.update(data=known)
            print(*lines, sep="\n", end="\n" * bool(lines))

    def on_train_start(self, trainer: lightning.Trainer, task: Any) -> None:
        self.stop.listen()
        self.started = (time.perf_counter(), trainer.global_step)
        self.sound = trainer.global_step
        if trainer.is_global_zero:  # not earlier: Lightning first divides the cores among the run's processes
            self.manifest.update(threads=torch.get_num_threads(), processes=trainer.world_size)
        resume_exactly(trainer)
        if self.takeover:
            self.set_newer_best_aside(trainer)
            told = self.takeover.apply(trainer, task.scheduler.interval)
            if trainer.is_global_zero:
                print(told)
                self.manifest.update(changes={str(trainer.global_step + 1): self.takeover.changes})
        if trainer.global_rank < len(self.random):
            set_random_state(self.random[trainer.global_rank], trainer.strategy.root_device)
        elif trainer.global_rank > 0:  # ranks draw different dropout masks
            seed_generators(torch.initial_seed() + trainer.global_rank)

    def on_train_epoch_start(self, trainer: lightning.Trainer, task: Any) -> None:
        asked = self.stop.agreed(trainer)
        if asked or self.due(trainer):
            self.save(trainer, self.folder.last)
        self.report(trainer)
        if asked:
            raise Interrupted(asked)

    def on_train_batch_end(
        self, trainer: lightning.Trainer, task: Any, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        if (batch_idx + 1) % trainer.accumulate_grad_batches:
            return  # a checkpoint does not hold the accumulated gradients
        several = trainer.world_size > 1
        if not self.unsaved and (trainer.global_step % CONSULT_EVERY if several else not self.stop.received):
            return
        if validation_follows(trainer):
            return  # a run cannot be resumed between a step and its validation
        if 0 < trainer.max_steps <= trainer.global_step:
            return  # the training is over
        asked = self.stop.agreed(trainer)
        if (self.unsaved or asked) and not trainer.is_last_batch:
            task.log_steps()  # else its sums are in the checkpoint, and in no row or in two
            if asked:
                write_logged(trainer)
            self.save(trainer, self.folder.last)
            self.unsaved = False
            if asked:
                raise Interrupted(asked)

    def on_validation_end(self, trainer: lightning.Trainer, task: Any) -> None:
        if trainer.state.fn == "fit":
            if task.counts_steps:
                self.watch_loss(trainer)
            if task.counts_steps or not task.metric.startswith("train/"):  # training metrics: `on_train_epoch_end`
                self.judge(trainer, task)
            self.unsaved = self.due(trainer)
            if task.counts_steps:
                self.report(trainer)

    def on_train_epoch_end(self, trainer: lightning.Trainer, task: Any) -> None:
        self.unsaved = False
        self.watch_loss(trainer)
        if task.metric.startswith("train/"):
            self.judge(trainer, task)

    def on_train_end(self, trainer: lightning.Trainer, task: Any) -> None:
        if task.counts_steps and not trainer.is_last_batch:
            leave_epoch_open(trainer)
        self.report(trainer)  # before the save: a run that is resumed from the end of its training reports no more
        self.save(trainer, self.folder.last)

    def on_test_start(self, trainer: lightning.Trainer, task: Any) -> None:
        self.tests = True
        self.stop.listen()
        if not self.config["train"]:  # a killed run may have logged more steps than run.json tells
            logged = (1 + max(curve) for curve in read_curves(self.folder.metrics, "step").values())
            count_on(trainer, self.manifest["epochs"], max([self.manifest["steps"], *logged]))

    def on_test_batch_end(self, trainer: lightning.Trainer, *args: Any, **kwargs: Any) -> None:
        if self.stop.received and trainer.world_size == 1:
            raise Interrupted(self.stop.received)

    def due(self, trainer: lightning.Trainer) -> bool:
        """Whether `save_every` seconds have passed since last.ckpt was written, by the clock of rank 0."""
        return trainer.strategy.broadcast(time.monotonic() - self.saved >= self.config.get("save_every", 0))

    def judge(self, trainer: lightning.Trainer, task: Any) -> None:
        """Save best.ckpt if the objective improves, or if the task keeps the last epoch (`keep: last`)."""
        if task.metric not in trainer.callback_metrics:
            raise InputError(not_logged(task.metric, "no such metric", trainer.callback_metrics))
        self.judged = True
        value = trainer.strategy.broadcast(float(trainer.callback_metrics[task.metric]))  # all processes decide alike
        best = self.best["best"]
        if math.isnan(value):
            return
        if task.keep == "last" or best is None or (value < best if task.mode == "min" else value > best):
            self.best = {"best": value, "best_epoch": trainer.current_epoch, "best_step": trainer.global_step}
            self.save(trainer, self.folder.best)
            if trainer.is_global_zero:  # now: callbacks mark it in figures before the last report
                self.manifest.update(objective={**self.best, **dict.fromkeys(GAPS)})

    def watch_loss(self, trainer: lightning.Trainer) -> None:
        """Print once that a training loss is not finite, and in which steps it became so."""
        for name, value in trainer.callback_metrics.items():
            loss = name.startswith("train/") and ("loss" in name or name == "train/elbo")
            if loss and not math.isfinite(value) and not self.diverged:
                self.diverged = True
                where = f"between steps {self.sound + 1:,} and {trainer.global_step:,}"
                if trainer.is_global_zero:
                    print(f"{name} is {float(value)} {where}; try a smaller optimizer.lr", file=sys.stderr)
        self.sound = trainer.global_step

    def report(self, trainer: lightning.Trainer) -> None:
        """Write the progress into run.json: epochs, steps, steps per second, best value."""
        if not trainer.is_global_zero:
            return
        clock, step = self.started
        progress: dict[str, Any] = {"epochs": trainer.current_epoch, "steps": trainer.global_step}
        if trainer.global_step > step:
            progress["steps_per_second"] = round((trainer.global_step - step) / (time.perf_counter() - clock), 2)
        if self.best["best"] is not None:
            progress["objective"] = self.best
        self.manifest.update(**progress)

    # ------------------------------------------------------------------ checkpoints

    def save(self, trainer: lightning.Trainer, path: Path) -> None:
        """Write the checkpoint to a temporary file, then rename it to `path`, which is never half-written."""
        part = path.with_suffix(".part")
        self.writes_best = path == self.folder.best
        if not self.writes_best:
            self.saved = time.monotonic()
        try:
            trainer.save_checkpoint(part, weights_only=False)
        except BaseException:
            part.unlink(missing_ok=True)  # it may fill the disk, which run.json needs
            raise
        if trainer.is_global_zero:
            tested = self.writes_best or self.config.get("checkpoint") or not self.folder.best.exists()
            if tested and trainer.global_step > self.started[1] and self.manifest.get("test"):
                self.manifest.update(**UNTESTED)  # first: never stands a test beside other weights
            os.replace(part, path)
            if not self.writes_best:  # all that a run that is killed later tells of the time before
                self.manifest.update(seconds=self.spent())
        trainer.strategy.barrier("checkpoint")

    def set_newer_best_aside(self, trainer: lightning.Trainer) -> None:
        """Rename a best.ckpt of a later step than the one from which a changed run goes on, and begin the best anew."""
        found = trainer.is_global_zero and self.folder.best.exists() and open_checkpoint(self.folder.best)
        step = trainer.strategy.broadcast(found["global_step"] if found else 0)
        if step <= trainer.global_step:
            return
        self.best = dict.fromkeys(self.best)
        if trainer.is_global_zero:
            aside = self.folder.best.with_name(f"best_of_step_{step}.ckpt")
            os.replace(self.folder.best, aside)
            self.manifest.update(objective={**self.best, **dict.fromkeys(GAPS)}, **UNTESTED)
            print(f"best.ckpt is of step {step:,}, before the change: it is {aside.name} now, and the best begins anew")

    def state_dict(self) -> dict[str, Any]:
        return self.best

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.best = state

    def on_save_checkpoint(self, trainer: lightning.Trainer, task: Any, checkpoint: dict[str, Any]) -> None:
        checkpoint["config"] = self.config
        if self.writes_best:
            checkpoint["optimizer_states"] = []
        checkpoint["random"] = [random_state(trainer.strategy.root_device)]
        if trainer.world_size > 1:
            states: list[Any] = [None] * trainer.world_size
            torch.distributed.all_gather_object(states, *checkpoint["random"])
            checkpoint["random"] = states

    def on_load_checkpoint(self, trainer: lightning.Trainer, task: Any, checkpoint: dict[str, Any]) -> None:
        self.random = checkpoint.get("random") or []
        takeover = Takeover(checkpoint["config"], self.config)
        if trainer.state.fn == "fit" and takeover.changes:
            self.takeover = takeover
            takeover.drop_what_does_not_fit(checkpoint)
