"""One run from its first line to its last: the folder, what the terminal says, and how it ended."""

import os
import socket
import sys
import time
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, NoReturn

import lightning.pytorch as lightning
import torch
from lightning.pytorch.utilities.rank_zero import rank_zero_only
from rich.console import Console
from rich.table import Table

from atelier.errors import InputError
from atelier.internals import end_processes
from atelier.runs import provenance
from atelier.runs.checkpoint import check_fits, open_checkpoint
from atelier.runs.fake import print_if_fake
from atelier.runs.folder import RunFolder, attach, write_yaml
from atelier.runs.gap import GAPS, gaps
from atelier.runs.interrupt import Interrupted, StopRequest
from atelier.runs.keeper import Keeper
from atelier.runs.manifest import Manifest
from atelier.runs.metrics import MetricsFile
from atelier.runs.tensorboard import TensorBoard
from atelier.runs.terminal import Recording, config_tree, layer_table, quieten_lightning, shows_in
from atelier.runs.threads import compute_with, told_if_scarce
from atelier.runs.wandb import Wandb


class Run:
    """A run being done. As a context manager it records what happens and writes the manifest's last word.

    Args:
        folder: the run's folder.
        manifest: its run.json.
        config: the resolved configuration as plain data.
        resumed: whether the folder held this run already.
    """

    def __init__(self, folder: RunFolder, manifest: Manifest, config: dict[str, Any], resumed: bool = False) -> None:
        self.folder, self.manifest, self.config, self.resumed = folder, manifest, config, resumed
        self.stop = StopRequest()
        self.keeper = Keeper(folder, manifest, config, self.stop)
        self.metrics = MetricsFile(folder.metrics)
        self.main = rank() == 0
        self.trainer: lightning.Trainer | None = None
        self.pruned = False
        if resumed and (threads := manifest.get("threads")):
            compute_with(threads)

    @classmethod
    def join(cls, config: dict[str, Any]) -> "Run":
        """The run that another process of it has started: this one serves a further device."""
        folder = attach(Path(config["paths"]["run"]))
        return cls(folder, Manifest.read(folder.manifest), config, resumed=config["resume"] is not None)

    @classmethod
    def start(
        cls,
        folder: RunFolder,
        config: dict[str, Any],
        names: dict[str, str | None],
        overrides: list[str],
        root: Path,
        setting: str,
    ) -> "Run":
        """A new run in a folder just made; `names` are its experiment and study, `setting` its config_hash."""
        write_yaml(folder.config, config)
        write_yaml(folder.overrides, overrides)
        manifest = Manifest(folder.manifest, {})
        manifest.update(
            status="running",
            **names,
            seed=config["seed"],
            overrides=overrides,
            config_hash=setting,
            source=config["data"].get("source", "real"),
            objective={
                "metric": config["task"]["metric"],
                "mode": config["task"]["mode"],
                **dict.fromkeys(("best", "best_epoch", *GAPS)),
            },
            counts="steps" if config["trainer"]["check_val_every_n_epoch"] is None else "epochs",
            test={},
            pruned=False,
            parameters=None,
            epochs=0,
            steps=0,
            seconds={"setup": 0.0, "fit": 0.0, "test": 0.0},
            steps_per_second=None,
            peak_memory_mb=None,
            device=None,
            threads=None,
            processes=None,
            precision=None,
            versions=provenance.versions(),
            git=provenance.git_state(root),
            host=socket.gethostname(),
            pid=os.getpid(),
            error=None,
        )
        return cls(folder, manifest, config)

    @classmethod
    def resume(cls, folder: RunFolder, config: dict[str, Any], changed: dict[str, Any]) -> "Run":
        """Go on with a run in its own folder, under `config` (its own, with what the user changed).

        `changed` are the keys of run.json, `overrides` and `config_hash`, that this gives another value.
        """
        manifest = Manifest.read(folder.manifest)
        if rank() == 0:
            manifest.update(**changed, status="running", error=None, pid=os.getpid(), host=socket.gethostname())
            write_yaml(folder.config, config)
            write_yaml(folder.overrides, manifest["overrides"])
        return cls(folder, manifest, config, resumed=True)

    # ------------------------------------------------------------------ what a verb calls

    @property
    def objective(self) -> float | None:
        """The best value of the task's metric so far."""
        return self.manifest["objective"]["best"]

    def describe(self, task: Any, trainer: lightning.Trainer) -> None:
        """Tell the terminal and the manifest what is about to be trained, and on what."""
        self.trainer = trainer
        parameters = sum(parameter.numel() for parameter in task.network.parameters())
        device = trainer.strategy.root_device
        features = getattr(task, "scored_by", None)  # of a task that makes pictures
        if not self.main:
            return
        self.manifest.update(
            parameters=parameters,
            device=provenance.device_name(device),
            precision=str(trainer.precision),
            **({"features": features} if features else {}),
        )
        console = Console()
        if console.is_terminal:
            console.print(config_tree(self.config))
            console.print(layer_table(task.network))
        name = self.manifest["experiment"]
        print_if_fake(self.config)
        print(f"{name}: {parameters:,} parameters on {device}, {trainer.precision}, {self.folder.path}")
        if told := told_if_scarce(self.manifest.get("threads")):
            print(told)

    def resume_from(self, task: lightning.LightningModule) -> Path | None:
        """The checkpoint to go on from, once it is known to be safe and to fit."""
        if not self.resumed or not self.folder.last.exists():
            return None
        checkpoint = open_checkpoint(self.folder.last)
        check_fits(task, checkpoint, self.folder.last)
        if self.main:
            self.metrics.forget_after(checkpoint["global_step"])
        return self.folder.last

    def to_test(self, task: lightning.LightningModule) -> Path:
        """The checkpoint to test: the given one, else the best, else the last; safe, and of this network."""
        path = self.folder.checkpoint(self.config["checkpoint"] or "best")
        check_fits(task, open_checkpoint(path), path)
        return path

    @contextmanager
    def timed(self, part: str) -> Iterator[None]:
        """Add the seconds of the block to the manifest's `seconds`, however it ends."""
        began = time.perf_counter()
        try:
            yield
        finally:
            if self.main:
                seconds = self.manifest["seconds"][part] + time.perf_counter() - began
                self.manifest.update(seconds={part: round(seconds, 3)})

    def prune(self) -> None:
        """Note that a search ended the training early; such a run is completed and not tested."""
        self.pruned = True

    def record_test(self, trainer: lightning.Trainer) -> None:
        values = {name.removeprefix("test/"): float(value) for name, value in trainer.callback_metrics.items()}
        if self.main:
            self.manifest.update(test=values)

    # ------------------------------------------------------------------ how it ends

    def __enter__(self) -> "Run":
        quieten_lightning()
        self.recording = Recording(self.folder.log) if self.main else None
        if self.recording:
            self.recording.__enter__()
        self.stop.listen()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if error is None:
                self.conclude()
                return
            if self.trainer:
                end_processes(self.trainer)
            asked = isinstance(error, (Interrupted, KeyboardInterrupt))
            if asked or (self.stop.received and isinstance(error, SystemExit)):
                self.leave(error.exit_status if isinstance(error, Interrupted) else 130)
            self.record_failure(error)
        finally:
            self.stop.release()
            self.finish_loggers(error)
            if self.recording:
                self.recording.__exit__(kind, error, trace)

    def leave(self, exit_status: int) -> NoReturn:
        """End an interrupted run. Lightning kills a run one of whose other processes ends with a status but 0."""
        if not self.main:
            sys.exit(0)
        if Manifest.read(self.folder.manifest)["status"] != "failed":  # the signal may come because another one failed
            self.manifest.update(status="interrupted")
        print(f"Interrupted. Go on with: python src/train.py resume={self.folder.path}", file=sys.stderr)
        sys.exit(exit_status)

    def conclude(self) -> None:
        if not self.main or self.trainer is None:
            return
        memory = provenance.peak_memory_mb(self.trainer.strategy.root_device)
        unit = "step" if self.manifest.get("counts") == "steps" else "epoch"
        objective, seconds = self.manifest["objective"], self.manifest["seconds"]
        found = gaps(self.folder.metrics, objective, unit, {} if self.config["checkpoint"] else self.manifest["test"])
        self.manifest.update(status="completed", pruned=self.pruned, peak_memory_mb=memory, objective=found)
        table = Table(box=None, show_header=False)
        if objective["best"] is not None:
            table.add_row(f"best {objective['metric']}", f"{objective['best']:.4g}", self.when(objective))
        for name, gap in found.items():
            table.add_row(name.replace("_", " "), f"{gap:.4g}")
        for name, value in sorted(self.manifest["test"].items()):
            if "/" not in name:  # those of single classes are in run.json
                table.add_row(f"test/{name}", f"{value:.4g}")
        table.add_row("training", f"{seconds['fit']:.1f} s", f"{self.manifest['steps']:,} steps")
        if self.pruned:
            table.add_row("pruned", "", "by its search")
        Console().print(table)
        print(f"Everything is in {self.folder.path}")

    def when(self, objective: Mapping[str, Any]) -> str:
        """The place of the best value, as the run counts."""
        if self.manifest.get("counts") == "steps":
            return f"step {objective['best_step']:,}"
        return f"epoch {objective['best_epoch'] + 1}"

    def record_failure(self, error: BaseException) -> None:
        """The traceback into run.log, from whichever process failed, and the manifest's status."""
        try:
            if not shows_in(self.folder.log):
                with self.folder.log.open("a", encoding="utf-8") as log:
                    log.write("".join(traceback.format_exception(error)))
            manifest = Manifest.read(self.folder.manifest)
            if manifest["status"] != "failed":  # when one process fails, the others do for want of it
                message = str(error) or repr(error)
                manifest.update(status="failed", error={"type": type(error).__name__, "message": message})
        except OSError as second:  # a full disk; the first error is still on its way
            print(f"{self.folder.manifest} could not be written: {second}", file=sys.stderr)
        if self.main and not isinstance(error, InputError):
            print(f"Failed; the traceback is in {self.folder.log}", file=sys.stderr)

    def finish_loggers(self, error: BaseException | None) -> None:
        """End what a logger holds open, with the run's own outcome; its best and its test values are the summary."""
        for logger in self.trainer.loggers if self.trainer else ():
            if isinstance(logger, (Wandb, TensorBoard)):
                objective = self.manifest["objective"]
                best = {key: objective[key] for key in ("best", "best_epoch") if objective[key] is not None}
                tested = {f"test/{name}": value for name, value in self.manifest["test"].items()}
                logger.finish(exit_status(error), summary={**best, **tested})
        if torch.distributed.is_available() and torch.distributed.is_initialized():
            torch.distributed.destroy_process_group()


def exit_status(error: BaseException | None) -> int:
    """What the process will end with."""
    if isinstance(error, (Interrupted, KeyboardInterrupt)):
        return error.exit_status if isinstance(error, Interrupted) else 130
    return 2 if isinstance(error, InputError) else int(error is not None)


def rank() -> int:
    """This process's number among those of its run."""
    return int(rank_zero_only.rank)  # type: ignore[attr-defined]
