"""Everything the terminal shows, shown and kept: standard output and error copied into run.log, without colours."""

import logging
import os
import re
import sys
import warnings
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any, TextIO

import yaml
from rich.console import Console
from rich.syntax import Syntax
from rich.table import Table
from rich.text import Text
from torch import nn

FAKE = "data.source=fake: noise in the place of the data, so that the numbers mean nothing"
CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\x1b\][^\x07]*\x07|\r")
# Advice of Lightning's that does not hold here, by the start of its text.
NOT_OURS = (
    ".*does not have many workers",  # the data is in memory: a batch is one index, workers would only copy it
    r".*is smaller than the logging interval",  # metrics are logged at the end of an epoch
    r".*It is recommended to use `self.log\(.*sync_dist=True",  # metrics are brought together before they are logged
    r".*The `srun` command is available",  # a login node of a cluster; runs start there, too
    r".*isinstance\(treespec, LeafSpec\)",  # torch's, of a call that Lightning makes
)


class Tee:
    """A text stream that writes to the terminal and to a log; above a live display, if there is one."""

    def __init__(self, terminal: TextIO, log: TextIO) -> None:
        self.terminal, self.log = terminal, log
        self.live: Console | None = None
        self.pending = ""

    def __getattr__(self, name: str) -> Any:
        """All else is the terminal's."""
        return getattr(self.terminal, name)

    def write(self, text: str) -> int:
        self.note(CONTROL.sub("", text), end="")
        if self.live is None:
            self.terminal.write(text)
        else:  # whole lines only, so that the display is not torn
            *lines, self.pending = (self.pending + text).split("\n")
            for line in lines:
                self.live.print(Text.from_ansi(line))
        return len(text)

    def writelines(self, lines: Iterable[str]) -> None:
        self.write("".join(lines))

    def note(self, text: str, end: str = "\n") -> None:
        """Into the log alone."""
        if not self.log.closed:
            print(text, end=end, file=self.log, flush=True)


def shows_in(path: Path) -> bool:
    """Whether what this process writes to standard error lands in that file anyway, as it does in a sweep's job."""
    try:
        return os.path.samestat(os.fstat(sys.stderr.fileno()), path.stat())
    except (OSError, ValueError):  # no such file, or a stream without a descriptor
        return False


@contextmanager
def recording(path: Path) -> Iterator[None]:
    """Within, what goes to standard output and error goes into the log at `path` as well."""
    if shows_in(path):
        yield
        return
    with path.open("a", encoding="utf-8") as log:
        out: Any = Tee(sys.stdout, log)
        err: Any = Tee(sys.stderr, log)
        with redirect_stdout(out), redirect_stderr(err):
            yield


def quieten_lightning() -> None:
    """Silence Lightning's chatter, and those of its warnings that are wrong here."""
    for name in ("lightning.pytorch", "lightning.fabric"):
        logging.getLogger(name).setLevel(logging.WARNING)
    for message in NOT_OURS:
        warnings.filterwarnings("ignore", message)


def print_if_fake(config: Mapping[str, Any], file: TextIO | None = None) -> None:
    """Say of a run on made-up data, wherever its numbers are shown, that they mean nothing."""
    if config["data"].get("source") == "fake":
        print(FAKE, file=file or sys.stdout)


def print_metrics(metrics: Mapping[str, float], split: str) -> None:
    """A table of test metrics, under the name of the split that they were measured on."""
    table = Table("metric", "value")
    for name, value in sorted(metrics.items()):
        table.add_row(f"{split}/{name.removeprefix('test/')}", str(float(value)))
    Console().print(table)


def print_plan(config: dict[str, Any], network: nn.Module) -> None:
    """On a terminal, the configuration and the layers of the network, with how many parameters each has."""
    console = Console()
    if not console.is_terminal:
        return
    own = {key: value for key, value in config["task"].items() if not isinstance(value, dict)}  # the rest is told above
    told = yaml.safe_dump({**config, "task": own}, sort_keys=False, allow_unicode=True, default_flow_style=None)
    console.print(Syntax(told, "yaml", background_color="default"))
    table = Table("layer", "kind", "parameters", title=type(network).__name__, title_justify="left")
    for name, module in network.named_modules():
        if name and not list(module.children()):
            count = sum(parameter.numel() for parameter in module.parameters())
            table.add_row(name, type(module).__name__, f"{count:,}" if count else "")
    console.print(table)
