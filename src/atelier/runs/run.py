"""One run from start to end; its methods stand in the order in which train.py calls them.

Lightning trains, validates and tests, and calls the callbacks and loggers. `Run` adds:

- Exact resuming, also in the middle of an epoch: `Keeper` saves the states of every process's random generators and of
  unfinished metrics, so that a resumed run gives the same numbers to the last digit.
- Whole files: run.json and checkpoints are written to a temporary file and renamed, so that a run killed at any moment
  can be read and resumed; a resumed run keeps metrics.csv, which Lightning's CSVLogger would delete.
- A true status: however a run ends, run.json says completed, failed (with the error) or interrupted, run.log has the
  traceback, all processes end, loggers get the exit status. Ctrl-C and SIGTERM end a run after its step, with a
  checkpoint and the command that resumes it.
"""

import os
import shlex
import socket
import sys
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import lightning.pytorch as lightning
import torch

from atelier import repository
from atelier.errors import InputError
from atelier.internals import end_processes
from atelier.project import command, project_root
from atelier.runs import provenance
from atelier.runs.changes import has_ended
from atelier.runs.checkpoint import check_fits, open_checkpoint
from atelier.runs.folder import RunFolder, claim, read_yaml, write_yaml
from atelier.runs.interrupt import Interrupted, StopRequest
from atelier.runs.keeper import Keeper
from atelier.runs.manifest import UNENDED, Manifest, untrained
from atelier.runs.metrics import MetricsFile, finish_loggers
from atelier.runs.overrides import typed
from atelier.runs.rows import GAPS, gaps
from atelier.runs.terminal import print_if_fake, print_outcome, print_plan, quieten_lightning, recording, shows_in


class Run:
    """A run, as one of its processes executes it.

    Args:
        folder: the run's folder, with its run.json.
        config: the resolved configuration as plain data.
        resumed: for a resumed run, the entries of run.json that change; None for a new run.

    A resumed run's run.json and config.yaml stay as they are before `describe`, which checks that its checkpoint fits.
    """

    def __init__(self, folder: RunFolder, config: dict[str, Any], resumed: dict[str, Any] | None = None) -> None:
        self.folder, self.config, self.resumed = folder, config, resumed
        self.main = provenance.rank() == 0
        self.lock = claim(folder.path) if self.main else None
        self.resumed_at: int | None = None  # the step of the checkpoint that it resumes from
        self.begun = resumed is None  # before that, a resumed run does not change run.json
        self.manifest = Manifest.read(folder.manifest)
        self.stop = StopRequest()
        self.keeper = Keeper(folder, self.manifest, config, self.stop)
        self.metrics = MetricsFile(folder.metrics)
        self.trainer: lightning.Trainer | None = None
        self.precision_reason: str | None = None  # for the precision that trainer.precision=auto has chosen
        self.pruned = False
        self.before = self.manifest.content  # of run.json, when this command began
        # whether it only tests a run that trains
        self.tests_alone = not config["train"] and read_yaml(folder.config, "train")["train"]
        if resumed is not None and (threads := self.manifest.get("threads")):
            torch.set_num_threads(threads)
            os.environ["OMP_NUM_THREADS"] = str(threads)  # for the processes that this one starts

    # ------------------------------------------------------------------ start

    @classmethod
    def start(
        cls, folder: RunFolder, config: dict[str, Any], names: dict[str, str | None], overrides: list[str], setting: str
    ) -> "Run":
        """Start a new run in a new folder; `names`: {experiment, study}; `setting`: its config_hash."""
        Manifest(folder.manifest, {}).update(
            status="running",
            **names,
            seed=config["seed"],
            overrides=overrides,
            tags=config.get("tags", []),
            note=config.get("note"),
            config_hash=setting,
            **untrained(config),
            versions=provenance.versions(project_root()),
            git=repository.recorded(project_root(), folder.path),
            host=socket.gethostname(),
            pid=os.getpid(),
            error=None,
        )
        write_yaml(folder.overrides, overrides)
        write_yaml(folder.config, config)  # last: a run that has it can be resumed
        return cls(folder, config)

    def begin_again(self, task: lightning.LightningModule) -> None:
        """Write the resumed run's status and configuration into its folder."""
        self.resumed_at = self.step_of_last(task)
        if self.main:
            here: dict[str, Any] = {"pid": os.getpid(), "host": socket.gethostname()}
            here["git"] = repository.recorded(project_root(), self.folder.path, self.manifest.get("git"))
            here |= UNENDED if self.config["train"] else {}
            here |= {} if self.tests_alone else {"status": "running", "error": None}
            self.manifest.update(**(self.resumed or {}), **here)
        self.begun = True  # not before: what could not be written once is not tried again as a failure
        if self.main:
            write_yaml(self.folder.config, {**self.config, "train": self.config["train"] or self.tests_alone})
            write_yaml(self.folder.overrides, self.manifest["overrides"])

    def step_of_last(self, task: lightning.LightningModule) -> int | None:
        """The step of last.ckpt, which fits the task; None if a run was killed before it had one, and begins anew."""
        if self.folder.last.exists():
            try:
                checkpoint = open_checkpoint(self.folder.last)
            except InputError as error:
                copy = shlex.join(["cp", str(self.folder.best), str(self.folder.last)])
                remedy = f"\nto go on from the best, its optimizer anew: {copy}"
                raise InputError(f"{error}{remedy * self.folder.best.exists()}") from error
            check_fits(task, checkpoint, self.folder.last)
            return checkpoint["global_step"]
        if self.manifest["status"] == "completed" and self.manifest["steps"]:
            again = f"so it cannot go on; to test it again: {command('eval')} {typed('run', self.folder.path)}"
            raise InputError(f"{self.folder.path} is complete and has no last.ckpt (save_last=false), {again}")
        return None

    @contextmanager
    def recorded(self) -> Iterator[None]:
        """The context of the whole run: copies the terminal into run.log, and writes the final status into run.json."""
        quieten_lightning()
        ended: BaseException | None = None
        with recording(self.folder.log) if self.main else nullcontext():
            self.stop.listen()
            try:
                yield
                self.conclude()
            except BaseException as error:
                ended = error
                self.end(error)
                raise
            finally:
                self.stop.release()
                loggers = self.trainer.loggers if self.trainer and self.main else ()
                finish_loggers(loggers, self.manifest, self.exit_status(ended))
                if torch.distributed.is_available() and torch.distributed.is_initialized():
                    torch.distributed.destroy_process_group()
                if self.lock:
                    self.lock.close()

    # ------------------------------------------------------------------ execution

    @contextmanager
    def timed(self, part: str) -> Iterator[None]:
        """Add the seconds of the block to the manifest's `seconds`, also if the block raises."""
        before, began = self.manifest["seconds"][part], time.perf_counter()
        self.keeper.spent = lambda: {part: round(before + time.perf_counter() - began, 3)}
        try:
            yield
        finally:
            if self.main and self.begun:
                self.manifest.update(seconds=self.keeper.spent())

    def describe(self, task: Any, trainer: lightning.Trainer) -> None:
        """Print and record the run's network, device and precision."""
        self.trainer = trainer
        task.recorded = {}
        if self.resumed is not None:
            self.begin_again(task)
        if not self.main:
            return
        parameters = sum(parameter.numel() for parameter in task.network.parameters())
        device = trainer.strategy.root_device
        features = getattr(task, "scored_by", None)  # of a generative task
        here: dict[str, Any] = {"device": provenance.device_name(device), "precision": str(trainer.precision)}
        here |= {"precision_reason": self.precision_reason, "versions": provenance.versions(project_root())}
        self.manifest.update(
            parameters=parameters,
            **provenance.recorded(here, self.manifest.content),
            **({"features": features} if features else {}),
        )
        print_plan(self.config, task.network)
        print_if_fake(self.config)
        name = self.manifest["experiment"]
        print(f"{name}: {parameters:,} parameters on {device}, {trainer.precision}, {self.folder.path}")
        if self.precision_reason:
            print(f"trainer.precision=auto takes {trainer.precision}: {self.precision_reason}")
        if told := provenance.told_if_scarce(self.manifest.get("threads")):
            print(told)

    def resume_from(self) -> Path | None:
        """The checkpoint to resume from; None for a new run."""
        if self.resumed_at is None:
            return None
        if self.main:
            self.metrics.forget_after(self.resumed_at)
        return self.folder.last

    def prune(self) -> None:
        """Record that a search ended the training early; the run counts as completed, and is not tested."""
        self.pruned = True
        if self.main:
            self.manifest.update(pruned=True)

    def to_test(self, task: lightning.LightningModule) -> Path:
        """The checkpoint to test: the configuration's, else the best, else the last; checked to be safe and to fit."""
        path = self.folder.checkpoint(self.config["checkpoint"] or "best")
        check_fits(task, open_checkpoint(path), path)
        return path

    def record_test(self, trainer: lightning.Trainer) -> None:
        logged = trainer.callback_metrics.items() if self.keeper.tests else ()
        values = {name.removeprefix("test/"): float(value) for name, value in logged if name.startswith("test/")}
        if self.main and values:
            self.manifest.update(test=values, **(getattr(trainer.lightning_module, "recorded", None) or {}))

    # ------------------------------------------------------------------ end

    def conclude(self) -> None:
        """End a run that succeeded: record and print its results."""
        if not self.main or self.trainer is None:
            return
        objective, tested = self.manifest["objective"], {} if self.config["checkpoint"] else self.manifest["test"]
        unit = "step" if self.manifest.get("counts") == "steps" else "epoch"
        found = dict.fromkeys(GAPS) | gaps(self.folder.metrics, objective, unit, tested)
        done: dict[str, Any] = {"status": "completed", "error": None}
        if not self.tests_alone:
            done["peak_memory_mb"] = provenance.peak_memory_mb(self.trainer.strategy.root_device)
        elif not has_ended(self.config["trainer"], self.before):  # what the training has left stays as it is
            done = {"status": "interrupted"} if self.before["status"] == "running" else {}
        self.manifest.update(**done, objective=found)
        print_outcome(self.manifest.content, found, unit)
        if objective["best"] is None and self.config["train"] and not self.pruned:
            never = "a number" if self.keeper.judged else "measured"
            print(f"{objective['metric']} was never {never}, so there is no best.ckpt; last.ckpt counts")
        print(f"Everything is in {self.folder.path}")
        if self.manifest["status"] != "completed":
            print(f"Its training has not ended. Go on with: {command('train')} {typed('resume', self.folder.path)}")
        elif not self.config.get("save_last", True) and self.folder.best.exists():
            self.folder.last.unlink(missing_ok=True)  # after all that can fail: a failed run goes on from it

    def end(self, error: BaseException) -> None:
        """End a run that was interrupted or failed: stop its other processes, and record the reason."""
        if self.trainer:
            end_processes(self.trainer)
        status = self.exit_status(error)
        if status <= 128:
            self.record_failure(error)
            return
        if not self.main:
            sys.exit(0)  # on another status of this rank, Lightning would kill rank 0
        failed = Manifest.read(self.folder.manifest)["status"] == "failed"  # as where another rank failed first
        if self.begun and not failed and not self.tests_alone:
            self.manifest.update(status="interrupted")
        print(f"Interrupted. Go on with: {command('train')} {typed('resume', self.folder.path)}", file=sys.stderr)
        sys.exit(status)

    def record_failure(self, error: BaseException) -> None:
        """Write the traceback into run.log and the error into run.json, from whichever process failed."""
        try:
            if not shows_in(self.folder.log):
                with self.folder.log.open("a", encoding="utf-8") as log:
                    log.write("".join(traceback.format_exception(error)))
            manifest = Manifest.read(self.folder.manifest)
            first = manifest["status"] != "failed"  # keep the first error: others follow from it
            if self.begun and first and not self.tests_alone:
                message = str(error) or repr(error)
                manifest.update(status="failed", error={"type": type(error).__name__, "message": message})
        except OSError as second:  # such as a full disk; the caller raises the first error
            print(f"{self.folder.manifest} could not be written: {second}", file=sys.stderr)
        if self.main and not isinstance(error, InputError):
            print(f"Failed; the traceback is in {self.folder.log}", file=sys.stderr)

    def exit_status(self, error: BaseException | None) -> int:
        """The exit status of this process: 0, 1 for an error, 2 for wrong input, 128 + n for signal n."""
        if isinstance(error, Interrupted):
            return error.exit_status
        if isinstance(error, KeyboardInterrupt) or (self.stop.received and isinstance(error, SystemExit)):
            return 130  # Lightning turns a KeyboardInterrupt into a SystemExit
        return 2 if isinstance(error, InputError) else int(error is not None)
