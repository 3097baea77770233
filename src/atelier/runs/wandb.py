"""Weights & Biases: one W&B run per run, offline where there is no key, and never the end of a training."""

import os
import warnings
from argparse import Namespace
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from lightning.pytorch.loggers.logger import Logger, rank_zero_experiment
from lightning.pytorch.utilities.rank_zero import rank_zero_only

from atelier.errors import InputError

ID_FILE = "wandb_id.txt"  # in the run folder: a resumed run goes on in the same W&B run


class Wandb(Logger):
    """Logs a run's metrics, resolved configuration and figures to W&B.

    Without an API key (WANDB_API_KEY or `wandb login`) and with WANDB_MODE unset, the W&B run stays offline, in
    `wandb/` of the run folder, and says once how to send it.

    Args:
        run: the run's folder.
        project: W&B project.
        group: W&B group; runs of a group can be drawn as one.
        tags: W&B tags.
    """

    def __init__(self, run: str, project: str, group: str | None = None, tags: Sequence[str] = ()) -> None:
        super().__init__()
        self.folder = Path(run)
        self.project, self.group, self.tags = project, group, list(tags)
        self._experiment: Any = None
        self.broken = False

    @property
    def name(self) -> str:
        return self.project

    @property
    def version(self) -> str | None:
        return self._experiment.id if self._experiment is not None else None

    @property
    @rank_zero_experiment
    def experiment(self) -> Any:
        """The W&B run, begun at its first use on the first process; None if W&B failed."""
        if self._experiment is None and not self.broken:
            self.guarded(self.begin)
        return self._experiment

    def begin(self) -> None:
        try:
            import wandb
        except ModuleNotFoundError as error:
            raise InputError("logger=wandb needs the package wandb: pip install 'atelier[wandb]'") from error
        mode = os.environ.get("WANDB_MODE") or ("online" if wandb.login(prompt=False) else "offline")
        file = self.folder / ID_FILE
        known = file.read_text() if file.exists() else None
        self._experiment = wandb.init(
            project=self.project,
            name=f"{self.folder.parent.name}/{self.folder.name}",
            id=known,
            resume="allow" if known else None,
            dir=self.folder,
            group=self.group,
            tags=self.tags,
            mode=mode,  # type: ignore[arg-type]  # W&B itself checks WANDB_MODE
            config=yaml.safe_load((self.folder / "config.yaml").read_text()),
            settings=wandb.Settings(silent=True, console="off"),
        )
        file.write_text(self._experiment.id)
        self._experiment.define_metric("*", step_metric="step")
        if mode == "offline":
            print(f"W&B: offline, since there is no API key. To send this run: wandb sync {self._experiment.dir[:-6]}")

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
    def log_hyperparams(self, params: dict[str, Any] | Namespace, *args: Any, **kwargs: Any) -> None:
        """Nothing: the W&B run has the whole configuration since it began."""

    @rank_zero_only
    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        if self.experiment is not None:
            self.guarded(self.experiment.log, {"step": step, **metrics})

    @rank_zero_only
    def finish(self, failed: bool, summary: Mapping[str, Any] | None = None) -> None:
        """Send the figures and the final values, and end the W&B run with the run's own exit status."""
        if self._experiment is None:
            return
        import wandb

        figures = {file.stem: wandb.Image(str(file)) for file in sorted((self.folder / "figures").glob("*.png"))}
        if figures:
            self.guarded(self._experiment.log, {f"figures/{name}": image for name, image in figures.items()})
        self.guarded(self._experiment.summary.update, dict(summary or {}))
        self.guarded(self._experiment.finish, exit_code=int(failed))
        self._experiment = None
