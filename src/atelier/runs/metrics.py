"""metrics.csv: one row per logging event, appended; nothing is lost on a crash or by resuming."""

import csv
import io
from argparse import Namespace
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lightning.pytorch.loggers.logger import Logger
from lightning.pytorch.utilities.rank_zero import rank_zero_only

from atelier.runs.manifest import write_atomically
from atelier.runs.rows import read_rows


class RunLogger(Logger):
    """Base of the loggers here. Each writes into one run's folder, where the configuration is, and is ended by the run.

    Lightning calls `finalize` after the training and again after the test; a run calls `finish` once, at its very end.
    """

    version = ""  # Lightning's word for one of several runs in a folder

    @property
    def name(self) -> str:
        return type(self).__name__.lower()

    def log_hyperparams(self, params: dict[str, Any] | Namespace, *args: Any, **kwargs: Any) -> None:
        """Nothing: the folder has them."""

    def finish(self, exit_status: int, summary: Mapping[str, Any]) -> None:
        """End what is open, with the run's exit status, its best value and what testing gave."""


class MetricsFile(RunLogger):
    """Lightning's view of metrics.csv.

    A metric that appears for the first time adds a column, for which the file is written anew, atomically.
    """

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.path = path
        self.rows = read_rows(path)
        self.columns = list(self.rows[0]) if self.rows else []
        if path.exists() and not path.read_text().endswith("\n"):  # cut off by a crash
            self.write()

    @rank_zero_only
    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        row = {"epoch": metrics.get("epoch", ""), "step": step, **metrics}
        self.rows.append(row)
        if set(row) <= set(self.columns):
            with self.path.open("a", newline="") as file:
                csv.DictWriter(file, self.columns, restval="").writerow(row)
        else:
            self.columns += [name for name in row if name not in self.columns]
            self.write()

    def forget_after(self, step: int) -> None:
        """Drop the rows of steps that a resumed run is going to do again."""
        self.rows = [row for row in self.rows if int(float(row["step"])) < step]
        self.write()

    def write(self) -> None:
        text = io.StringIO(newline="")
        writer = csv.DictWriter(text, self.columns, restval="")
        writer.writeheader()
        writer.writerows(self.rows)
        write_atomically(self.path, text.getvalue())
