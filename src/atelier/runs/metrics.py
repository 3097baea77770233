"""Writes metrics.csv: each logging event appends a row, so that a crash or a resume loses none."""

import csv
import io
from argparse import Namespace
from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from lightning.pytorch.loggers.logger import Logger
from lightning.pytorch.utilities.rank_zero import rank_zero_only

from atelier.runs.manifest import Manifest, write_atomically
from atelier.runs.rows import read_rows


class RunLogger(Logger):
    """Base class of Atelier's loggers, which write into a run's folder.

    Lightning calls `finalize` after the training and again after the test; the run calls `finish` once, at its end.
    """

    version = ""  # Lightning numbers several runs in a folder; here each run has its own folder

    @property
    def name(self) -> str:
        return type(self).__name__.lower()

    def log_hyperparams(self, params: dict[str, Any] | Namespace, *args: Any, **kwargs: Any) -> None:
        """Does nothing: config.yaml holds them."""

    def finish(self, exit_status: int, summary: Mapping[str, Any]) -> None:
        """Close the logger; `summary` holds the objective's best value and the test metrics."""


def finish_loggers(loggers: Iterable[Any], manifest: Manifest, exit_status: int) -> None:
    """Close the loggers of a run with its exit status, its best value and its test metrics."""
    objective = manifest["objective"]
    best = {key: at for key in ("best", "best_epoch", "best_step") if (at := objective.get(key)) is not None}
    tested = {f"test/{name}": value for name, value in manifest["test"].items()}
    with ExitStack() as closing:  # an error of one logger does not keep the others from closing
        for logger in loggers:
            if isinstance(logger, RunLogger):
                closing.callback(logger.finish, exit_status, summary={**best, **tested})


class MetricsFile(RunLogger):
    """A Lightning logger that appends to metrics.csv; a new metric adds a column and rewrites the file atomically."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.path = path
        self.rows = read_rows(path)
        self.columns = list(self.rows[0]) if self.rows else []
        if path.exists() and not path.read_text("utf-8").endswith("\n"):  # cut off by a crash
            self.write()

    @rank_zero_only
    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        row = {"epoch": metrics.get("epoch", ""), "step": step, **metrics}
        self.rows.append(row)
        if set(row) <= set(self.columns):
            with self.path.open("a", encoding="utf-8", newline="") as file:
                csv.DictWriter(file, self.columns, restval="").writerow(row)
        else:
            self.columns += [name for name in row if name not in self.columns]
            self.write()

    def forget_after(self, step: int) -> None:
        """Drop the rows from step `step` on, which a resumed run logs again."""
        self.rows = [row for row in self.rows if int(float(row["step"])) < step]
        self.write()

    def write(self) -> None:
        text = io.StringIO(newline="")
        writer = csv.DictWriter(text, self.columns, restval="")
        writer.writeheader()
        writer.writerows(self.rows)
        write_atomically(self.path, text.getvalue())
