"""Everything the terminal shows, shown and kept: standard output and error copied into run.log, without colours."""

import io
import logging
import os
import re
import sys
import warnings
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, TextIO

from rich.console import Console
from rich.table import Table
from rich.text import Text
from rich.tree import Tree

CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\x1b\][^\x07]*\x07|\r")
# Advice of Lightning's that does not hold here, by the start of its text.
NOT_OURS = (
    ".*does not have many workers",  # the data is in memory: a batch is one index, workers would only copy it
    r".*is smaller than the logging interval",  # metrics are logged at the end of an epoch
    r".*It is recommended to use `self.log\(.*sync_dist=True",  # metrics are brought together before they are logged
    r".*The `srun` command is available",  # a login node of a cluster; runs start there, too
    r".*isinstance\(treespec, LeafSpec\)",  # torch's, of a call that Lightning makes
)


class Tee(io.TextIOBase):
    """A text stream that writes to the terminal and to a log; above a live display, if there is one."""

    def __init__(self, terminal: TextIO, log: TextIO) -> None:
        self.terminal, self.log = terminal, log
        self.live: Console | None = None
        self.pending = ""

    def write(self, text: str) -> int:
        if not self.log.closed:
            self.log.write(CONTROL.sub("", text))
            self.log.flush()
        if self.live is None:
            self.terminal.write(text)
        else:  # whole lines only, so that the display is not torn
            *lines, self.pending = (self.pending + text).split("\n")
            for line in lines:
                self.live.print(Text.from_ansi(line))
        return len(text)

    def note(self, text: str) -> None:
        """Into the log alone."""
        if not self.log.closed:
            self.log.write(text + "\n")
            self.log.flush()

    def flush(self) -> None:
        self.terminal.flush()

    def isatty(self) -> bool:
        return self.terminal.isatty()

    def fileno(self) -> int:
        return self.terminal.fileno()

    @property
    def encoding(self) -> str:  # type: ignore[override]
        return self.terminal.encoding


def shows_in(path: Path) -> bool:
    """Whether what this process writes to standard error lands in that file anyway, as it does in a sweep's job."""
    try:
        return os.path.samestat(os.fstat(sys.stderr.fileno()), path.stat())
    except (OSError, ValueError):  # no such file, or a stream without a descriptor
        return False


class Recording:
    """While entered, `sys.stdout` and `sys.stderr` are tees into one log file."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.log: TextIO | None = None

    def __enter__(self) -> "Recording":
        self.before = sys.stdout, sys.stderr
        if shows_in(self.path):
            return self
        self.log = self.path.open("a", encoding="utf-8")
        sys.stdout, sys.stderr = Tee(sys.stdout, self.log), Tee(sys.stderr, self.log)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        sys.stdout, sys.stderr = self.before
        if self.log:
            self.log.close()


def quieten_lightning() -> None:
    """Silence Lightning's chatter, and those of its warnings that are wrong here."""
    for name in ("lightning.pytorch", "lightning.fabric"):
        logging.getLogger(name).setLevel(logging.WARNING)
    for message in NOT_OURS:
        warnings.filterwarnings("ignore", message)


def print_metrics(metrics: Mapping[str, float], split: str) -> None:
    """A table of test metrics, under the name of the split that they were measured on."""
    table = Table("metric", "value")
    for name, value in sorted(metrics.items()):
        table.add_row(f"{split}/{name.removeprefix('test/')}", str(float(value)))
    Console().print(table)


def layer_table(network: Any) -> Table:
    """The layers of a network, with how many parameters each has."""
    table = Table("layer", "kind", "parameters", title=type(network).__name__, title_justify="left")
    for name, module in network.named_modules():
        if name and not list(module.children()):
            count = sum(parameter.numel() for parameter in module.parameters())
            table.add_row(name, type(module).__name__, f"{count:,}" if count else "")
    return table


def config_tree(config: dict[str, Any]) -> Tree:
    """A resolved configuration, as rich draws a tree."""
    tree = Tree("configuration")
    for group, content in config.items():
        if not isinstance(content, dict):
            tree.add(f"[bold]{group}[/]: {content}")
        elif group != "task":  # it repeats the groups that it is given
            add_branch(tree, group, content)
        else:
            add_branch(tree, group, {k: v for k, v in content.items() if not isinstance(v, dict)})
    return tree


def add_branch(tree: Tree, name: str, content: dict[str, Any]) -> None:
    branch = tree.add(f"[bold]{name}[/] [dim]{content.get('_target_', '')}[/]")
    for key, value in content.items():
        if isinstance(value, dict):
            add_branch(branch, key, value)
        elif not key.startswith("_"):
            branch.add(Text(f"{key}: {value}"))
