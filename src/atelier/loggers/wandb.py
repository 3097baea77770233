"""Weights & Biases: one W&B run per run, offline where there is no key, and never the end of a training."""

import os
import warnings
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from shutil import rmtree
from typing import Any

from lightning.pytorch.loggers.logger import rank_zero_experiment
from lightning.pytorch.utilities.rank_zero import rank_zero_only

from atelier.errors import InputError
from atelier.loggers.labels import OFFLINE, how_to_send, read_labels
from atelier.runs.folder import read_yaml
from atelier.runs.metrics import RunLogger
from atelier.runs.rows import read_metrics

ID_FILE = "wandb_id.txt"  # in the run folder: a resumed run goes on in the same W&B run
PATIENCE = 300  # seconds to wait at the end for what is not yet sent; it can be sent later


class Wandb(RunLogger):
    """Logs a run's metrics, resolved configuration and figures to W&B.

    The jobs of a sweep are one W&B group; runs of one setting share their job type, and in W&B's configuration the
    `config_hash` of run.json; each swept key is a tag. Without an API key (WANDB_API_KEY or `wandb login`), or where
    W&B cannot be reached, the W&B run stays offline, in `wandb/` of the run folder, and says how to send it.
    Lightning's own WandbLogger goes on in whatever W&B run is open, has no way offline, and ends with its training.

    Args:
        run: the run's folder.
        project: W&B project.
        group: W&B group of a single run; a sweep's jobs have the sweep.
        tags: W&B tags besides those of the swept keys.
    """

    def __init__(self, run: str, project: str, group: str | None = None, tags: Sequence[str] = ()) -> None:
        super().__init__()
        self.folder = Path(run)
        self.project, self.group, self.tags = project, group, list(tags)
        self._experiment: Any = None
        self.broken = False

    @property
    @rank_zero_experiment
    def experiment(self) -> Any:
        """The W&B run, begun at its first use on the first process; None if W&B failed."""
        if self._experiment is None:
            self.guarded(self.begin)
        return self._experiment

    def begin(self) -> None:
        try:
            import wandb
        except ModuleNotFoundError as error:
            raise InputError("logger=wandb needs the package wandb: pip install 'atelier[wandb]'") from error
        wandb.setup(wandb.Settings(silent=True))
        wanted = os.environ.get("WANDB_MODE")
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
        """Begin the W&B run, or go on with it.

        It then hears its whole history from metrics.csv: what it has already, W&B drops, and what a crash cost it is
        back. Earlier offline files hold nothing else, and sent later they would overwrite it.
        """
        import wandb

        labels = read_labels(self.folder)
        file = self.folder / ID_FILE
        known = file.read_text() if file.exists() else None
        earlier = list(self.folder.glob(OFFLINE))
        self._experiment = wandb.init(
            project=self.project,
            name=labels.name,
            id=known,
            resume="allow" if known and mode != "offline" else None,
            dir=self.folder,
            group=labels.group or self.group,
            job_type=labels.setting,
            tags=list(dict.fromkeys([*labels.tags, *self.tags])),
            mode=mode,  # type: ignore[arg-type]  # W&B itself checks WANDB_MODE
            config={**read_yaml(self.folder / "config.yaml"), "config_hash": labels.config_hash},
            reinit="finish_previous",  # never go on in the W&B run of another job
            settings=wandb.Settings(silent=True, console="off", finish_timeout=PATIENCE),
        )
        if known and not self._experiment.disabled:
            for row in read_metrics(self.folder / "metrics.csv"):
                self._experiment.log(row, step=int(row.pop("step")))
            for folder in earlier:
                rmtree(folder, ignore_errors=True)

    def guarded(self, action: Any, *args: Any, **kwargs: Any) -> None:
        """Do it, or warn once and leave W&B alone from then on."""
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
        """One row of W&B's history per training step, so that steps done again by a resumed run are not told twice."""
        if self.experiment is not None:
            self.guarded(self.experiment.log, dict(metrics), step=step)

    def finish(self, exit_status: int, summary: Mapping[str, Any]) -> None:
        """Send the figures and the final values, and end the W&B run with the run's own exit status."""
        if self._experiment is None:
            return
        self.guarded(self.tell_outcome, summary)
        self.guarded(self._experiment.finish, exit_code=exit_status)
        if self.broken:  # even so, let no W&B run be left open
            with suppress(Exception):
                self._experiment.finish(exit_code=exit_status)
        self._experiment = None

    def tell_outcome(self, summary: Mapping[str, Any]) -> None:
        import wandb

        self._experiment.summary.update(dict(summary))
        figures = sorted((self.folder / "figures").glob("*.png"))
        if figures:
            self._experiment.log({f"figures/{figure.stem}": wandb.Image(str(figure)) for figure in figures})
