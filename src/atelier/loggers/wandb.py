"""The Weights & Biases logger: offline without an API key; an error of W&B never ends a training."""

import os
import shlex
import warnings
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from shutil import rmtree
from typing import Any

from lightning.pytorch.loggers.logger import rank_zero_experiment
from lightning.pytorch.utilities.rank_zero import rank_zero_only

from atelier.errors import InputError
from atelier.loggers.labels import OFFLINE, TAG_LENGTH, how_to_send, read_labels
from atelier.runs.folder import read_yaml
from atelier.runs.metrics import RunLogger
from atelier.runs.rows import read_metrics

ID_FILE = "wandb_id.txt"  # in the run folder: the W&B run that a resumed run continues
PATIENCE = 60  # seconds to wait at the end of a run for unsent data, which can be sent later; Slurm leaves 120


class Wandb(RunLogger):
    """Logs a run's metrics, resolved configuration and figures to W&B.

    The jobs of a sweep form a W&B group, in which repeats share their job type; all runs of a setting share the
    `config_hash` in W&B's configuration; each swept key is a tag. Without an API key (WANDB_API_KEY or `wandb login`),
    or without a connection to W&B, the W&B run stays offline, in `wandb/` of the run folder, and the command that sends
    it is printed.
    Lightning's WandbLogger continues any open W&B run, does not fall back to offline, and ends with its training.

    Args:
        run: the run's folder.
        project: W&B project.
        group: W&B group of a single run; the group of a sweep's jobs is the sweep.
        tags: W&B tags besides those of the swept keys; W&B takes the first 64 characters of each, and no empty one.
        note: W&B's notes on the run.
    """

    def __init__(
        self, run: str, project: str, group: str | None = None, tags: Sequence[str] = (), note: str | None = None
    ) -> None:
        super().__init__()
        self.folder = Path(run)
        self.project, self.group, self.note = project, group, note
        self.tags = [tag[:TAG_LENGTH] for tag in tags if tag]
        self._experiment: Any = None
        self.broken = False
        self.logged: set[str] = set()  # names of the metrics since this process began

    @property
    @rank_zero_experiment
    def experiment(self) -> Any:
        """The W&B run, started at its first use on rank 0; None if W&B failed."""
        if self._experiment is None:
            self.guarded(self.begin)
        return self._experiment

    def begin(self) -> None:
        try:
            import wandb
        except ModuleNotFoundError as error:
            raise InputError("logger=wandb needs the package wandb: pip install 'atelier[wandb]'") from error
        wandb.setup(wandb.Settings(silent=True))
        typed = wandb.Settings()
        typed.update_from_system_settings()  # by `wandb offline` or `wandb disabled`
        wanted = os.environ.get("WANDB_MODE") or (typed.mode if typed.mode in ("offline", "disabled") else None)
        mode = wanted or ("online" if wandb.login(prompt=False, verify=False) else "offline")
        why = "" if wanted else " since there is no API key"
        try:
            self.begin_in(mode)
        except Exception as error:
            if mode == "offline":
                raise
            why = f" since W&B cannot be reached ({error})"
            self.begin_in("offline")
        if not self._experiment.disabled:
            (self.folder / ID_FILE).write_text(self._experiment.id)
        if self._experiment.offline:
            print(f"W&B: the run stays offline{why}. To send it: {how_to_send(self.folder)}")

    def begin_in(self, mode: str) -> None:
        """Start the W&B run, or continue it.

        The W&B run of a resumed run gets the whole metrics.csv: W&B drops rows that it has, and gets rows that a crash
        lost, or that were logged without W&B. Earlier offline files are deleted: they hold no other rows, and would
        overwrite newer ones if sent later.
        """
        import wandb

        labels = read_labels(self.folder)
        file = self.folder / ID_FILE
        known = file.read_text() if file.exists() else None
        earlier = list(self.folder.glob(OFFLINE))
        goes_on = bool(known) and mode != "offline"
        tags = tuple(dict.fromkeys([*labels.tags, *self.tags]))
        self._experiment = wandb.init(
            project=self.project,
            name=labels.name,
            id=known,
            resume="allow" if goes_on else None,
            dir=self.folder,
            group=labels.group or self.group,
            job_type=labels.setting,
            tags=None if goes_on else tags,
            notes=self.note,
            mode=mode,  # type: ignore[arg-type]  # W&B itself checks WANDB_MODE
            config={**read_yaml(self.folder / "config.yaml"), "config_hash": labels.config_hash},
            reinit="finish_previous",  # never continue the W&B run of another job
            settings=wandb.Settings(silent=True, console="off", finish_timeout=PATIENCE, finish_timeout_raises=True),
        )
        if goes_on:  # beside those that were added on W&B's page, in whose place others of `init` would stand
            self._experiment.tags = tuple(dict.fromkeys([*(self._experiment.tags or ()), *tags]))
        if not self._experiment.disabled:
            for row in read_metrics(self.folder / "metrics.csv"):
                self._experiment.log(row, step=int(row.pop("step")))
            for folder in earlier:
                rmtree(folder, ignore_errors=True)

    def guarded(self, action: Any, *args: Any, **kwargs: Any) -> None:
        """Call `action`; after an error, warn once, and skip all further calls."""
        if self.broken:
            return
        try:
            action(*args, **kwargs)
        except InputError:
            raise
        except Exception as error:
            self.broken = True
            warnings.warn(f"W&B failed and is left out from here on: {error}", stacklevel=2)

    @rank_zero_only
    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        """Log a row under its training step, so that W&B drops steps that a resumed run repeats."""
        self.logged.update(metrics)
        if self.experiment is not None:
            self.guarded(self.experiment.log, dict(metrics), step=step)

    def finish(self, exit_status: int, summary: Mapping[str, Any]) -> None:
        """Send the figures and the final values, and finish the W&B run with the run's exit status."""
        if self._experiment is None:
            return
        self.guarded(self.tell_outcome, summary)
        self.guarded(self.close, exit_status)
        if self.broken:  # finish the W&B run even after an error
            with suppress(Exception):
                self._experiment.finish(exit_code=exit_status)
        self._experiment = None

    def close(self, exit_status: int) -> None:
        try:
            self._experiment.finish(exit_code=exit_status)
        except TimeoutError:
            rest = f"wandb sync --include-online {shlex.quote(str(self.folder))}/wandb/run-*"
            print(f"W&B: not all was sent within {PATIENCE} seconds. To send the rest: {rest}")

    def tell_outcome(self, summary: Mapping[str, Any]) -> None:
        import wandb

        for key in set(self._experiment.summary.keys()) - {*summary, *self.logged}:
            if key.startswith("test/"):  # of other weights, before the run was resumed
                del self._experiment.summary[key]
        self._experiment.summary.update(dict(summary))
        figures = sorted((self.folder / "figures").glob("*.png"))
        if figures:
            self._experiment.log({f"figures/{figure.stem}": wandb.Image(str(figure)) for figure in figures})
