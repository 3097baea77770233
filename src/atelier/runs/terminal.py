"""Copies standard output and error into run.log, without colours, and prints a run's plan and metrics."""

import logging
import os
import re
import sys
import warnings
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

import yaml
from rich.console import Console
from rich.table import Table
from rich.text import Text

from atelier.project import PACKAGE

if TYPE_CHECKING:  # a report needs no torch
    from torch import nn

FAKE = "data.source=fake: noise in the place of the data, so that the numbers mean nothing"
PYTHONS = warnings.formatwarning
CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\x1b\][^\x07]*\x07|\r")
# Warnings that do not apply to Atelier, as regular expressions.
NOT_OURS = (
    ".*does not have many workers",  # the data are in memory, and a batch is one tensor index: workers would only copy
    r".*is smaller than the logging interval",  # metrics are logged at the end of an epoch
    r".*It is recommended to use `self.log\(.*sync_dist=True",  # metrics are reduced over ranks before they are logged
    r".*The `srun` command is available",  # runs may start on the login node of a cluster, too
    ".*in eval mode at the start of training",  # of a frozen part, such as a teacher
    r".*isinstance\(treespec, LeafSpec\)",  # a deprecated call inside Lightning
)


class Tee:
    """A text stream that writes to the terminal, above a live display if there is one, and to a log."""

    def __init__(self, terminal: TextIO, log: TextIO) -> None:
        self.terminal, self.log = terminal, log
        self.live: Console | None = None
        self.pending = ""

    def __getattr__(self, name: str) -> Any:
        """Other attributes are the terminal's."""
        return getattr(self.terminal, name)

    def write(self, text: str) -> int:
        self.note(CONTROL.sub("", text), end="")
        told, self.pending = self.pending + text, ""
        if self.live is None:
            self.terminal.write(told)
        else:  # a partial line would tear the live display
            *lines, self.pending = told.split("\n")
            for line in lines:
                self.live.print(Text.from_ansi(line))
        return len(text)

    def writelines(self, lines: Iterable[str]) -> None:
        self.write("".join(lines))

    def note(self, text: str, end: str = "\n") -> None:
        """Write to the log only."""
        if not self.log.closed:
            print(text, end=end, file=self.log, flush=True)


def shows_in(path: Path) -> bool:
    """Whether standard error of this process is redirected to the file `path`, as in a job of a sweep."""
    try:
        return os.path.samestat(os.fstat(sys.stderr.fileno()), path.stat())
    except (OSError, ValueError):  # no such file, or a stream without a file descriptor
        return False


@contextmanager
def recording(path: Path) -> Iterator[None]:
    """Inside this context, copy standard output and error into the log at `path`."""
    if shows_in(path):
        yield
        return
    with path.open("a", encoding="utf-8") as log:
        out: Any = Tee(sys.stdout, log)
        err: Any = Tee(sys.stderr, log)
        with redirect_stdout(out), redirect_stderr(err):
            yield


def plain_console(**options: Any) -> Console:
    """A Rich console without markup and emoji codes, for texts that may contain a user's names."""
    return Console(markup=False, emoji=False, **options)


def table_console() -> Console:
    """A plain console for tables; in a file, no cell is wrapped."""
    console = plain_console()
    return console if console.is_terminal else plain_console(width=500)


def quieten_lightning() -> None:
    """Silence Lightning's information messages and the warnings in NOT_OURS; print each of ours in a line."""
    warnings.formatwarning = told_in_a_line
    for name in ("lightning.pytorch", "lightning.fabric"):
        logging.getLogger(name).setLevel(logging.WARNING)
    for message in NOT_OURS:
        warnings.filterwarnings("ignore", message)


def told_in_a_line(
    message: Warning | str, category: type[Warning], filename: str, lineno: int, line: str | None = None
) -> str:
    """The text of a warning: Atelier's own names no place in the code."""
    if Path(filename).is_relative_to(PACKAGE):
        return f"Beware: {message}\n"
    return PYTHONS(message, category, filename, lineno, line)


def print_if_fake(config: Mapping[str, Any], file: TextIO | None = None) -> None:
    """Print a warning if the configuration uses made-up data."""
    if config["data"].get("source") == "fake":
        print(FAKE, file=file or sys.stdout)


def print_metrics(metrics: Mapping[str, float], split: str) -> None:
    """Print a table of test metrics, each prefixed with the split on which it was measured."""
    table = Table("metric", "value")
    for name, value in sorted(metrics.items()):
        table.add_row(f"{split}/{name.removeprefix('test/')}", str(float(value)))
    plain_console().print(table)


def print_plan(config: dict[str, Any], network: "nn.Module") -> None:
    """On a terminal, print the configuration and the network's layers with their numbers of parameters."""
    from rich.syntax import Syntax  # late: tables need no highlighting

    console = plain_console()
    if not console.is_terminal:
        return
    own = {key: value for key, value in config["task"].items() if not isinstance(value, dict)}  # nodes are shown above
    told = yaml.safe_dump({**config, "task": own}, sort_keys=False, allow_unicode=True, default_flow_style=None)
    console.print(Syntax(told, "yaml", background_color="default"))
    table = Table("layer", "kind", "parameters", title=type(network).__name__, title_justify="left")
    for name, module in network.named_modules():
        count = sum(parameter.numel() for parameter in module.parameters(recurse=False))  # all rows make the total
        if count or (name and not list(module.children())):
            table.add_row(name, type(module).__name__, f"{count:,}" if count else "")
    console.print(table)


def print_outcome(run: Mapping[str, Any], gaps: Mapping[str, float | None], unit: str) -> None:
    """Print the best value, the gaps, the test metrics and the length of a finished run, from its run.json."""
    table, objective = Table(box=None, show_header=False), run["objective"]
    if (best := objective["best"]) is not None:
        place = objective["best_step"] if unit == "step" else objective["best_epoch"] + 1
        table.add_row(f"best {objective['metric']}", f"{best:.4g}", f"{unit} {place:,}")
    for name, gap in gaps.items():
        if gap is not None:
            table.add_row(name.replace("_", " "), f"{gap:.4g}")
    for name, value in sorted(run["test"].items()):
        if "/" not in name:  # metrics of single classes stand in run.json only
            table.add_row(f"test/{name}", f"{value:.4g}")
    table.add_row("training", f"{run['seconds']['fit']:.1f} s", f"{run['steps']:,} steps")
    if run["pruned"]:
        table.add_row("pruned", "", "by its search")
    plain_console().print(table)
