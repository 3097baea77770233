"""Starts a training in a process of its own: the same command that a person types in a terminal."""

import os
import signal
import socket
import subprocess
import sys
import threading
from collections import deque
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

from atelier.api import child, project
from atelier.api.finished import FinishedRun, load
from atelier.compare.where import meant
from atelier.errors import InputError
from atelier.project import INSTALLED, VARIABLE
from atelier.runs.folder import last_changed
from atelier.runs.manifest import Manifest
from atelier.runs.overrides import key_of, quoted, value_of

WRONG_INPUT, INTERRUPTED = 2, 130  # exit statuses of a command
APART = ("sweep.resume", "lr_find")  # keys with which the command makes no run, or several
KEPT = 20  # lines of standard error that a message may repeat
COLOURS = ("FORCE_COLOR", "CLICOLOR_FORCE")  # a notebook's kernel sets them; a command would take it for a terminal


class RunFailed(RuntimeError):
    """A training ended with an error; `run` is its folder, opened, or None if it made none."""

    def __init__(self, message: str, run: FinishedRun | None) -> None:
        super().__init__(message)
        self.run = run


def train(*overrides: str) -> FinishedRun:
    """Train a network as `python src/train.py` with these overrides does, and open the run.

    What the command prints appears line by line. A KeyboardInterrupt (Ctrl-C, or a notebook's button) reaches the
    training, which finishes its step and saves; a second one ends it at once. `train("resume=latest")` goes on.

    Args:
        overrides: as on the command line: `train("experiment=mnist_mlp", "optimizer.lr=0.01")`.

    Raises:
        InputError: for wrong settings, with the message of the command.
        RunFailed: if the training ended with an error.
        KeyboardInterrupt: if it was interrupted, after it has saved.
    """
    for override in overrides:
        if not isinstance(override, str) or override.startswith("-") or key_of(override) in APART:
            raise InputError(
                f"{override}: give overrides such as 'optimizer.lr=0.01'; a terminal starts what makes no single run"
            )
    command = [sys.executable, "-P", str(child.__file__), str(project.train_script()), *overrides]
    kept = {name: value for name, value in os.environ.items() if name not in COLOURS}
    kept |= {VARIABLE: str(project.root())} if INSTALLED else {}
    pipe: Any = subprocess.PIPE
    with subprocess.Popen(
        command,
        stdin=pipe,
        stdout=pipe,
        stderr=pipe,
        env={**kept, "PYTHONUNBUFFERED": "1", "PYTHONIOENCODING": "utf-8"},
        encoding="utf-8",
        errors="replace",
        start_new_session=True,  # a Ctrl-C in a terminal would reach it a second time
    ) as process:
        errors: deque[str] = deque(maxlen=KEPT)
        interrupted = follow(process, errors)
    if process.returncode == WRONG_INPUT:
        raise InputError("".join(errors).strip())
    run = run_of(process.pid, overrides)
    if interrupted or process.returncode == INTERRUPTED:
        raise KeyboardInterrupt("" if run is None else f"go on with {call('resume', run.folder)}")
    if process.returncode or run is None:
        alone = "train=false" in overrides  # a test alone leaves the error of the training in run.json
        raise RunFailed(told(None if alone else run, errors, process.returncode), run)
    return run


def follow(process: "subprocess.Popen[str]", errors: deque[str]) -> bool:
    """Pass a process's output on until it ends, and each KeyboardInterrupt to it; return whether there was one."""
    readers: list[threading.Thread] = []
    interrupted = False
    while True:
        try:
            streams = ((process.stdout, sys.stdout, None), (process.stderr, sys.stderr, errors))
            readers = readers or [relay(*stream) for stream in streams]
            process.wait()
            for reader in readers:
                reader.join()
            return interrupted
        except KeyboardInterrupt:
            interrupted = True
            process.send_signal(signal.SIGINT)


def relay(source: IO[str] | None, target: Any, kept: deque[str] | None) -> threading.Thread:
    """Write the lines of a pipe to a stream as they come, and keep them; in a thread, which is returned."""

    def pass_on() -> None:
        for line in source or ():
            if kept is not None:
                kept.append(line)
            with suppress(OSError, ValueError):  # a stream that was closed must not hold the training up
                target.write(line)
                target.flush()

    thread = threading.Thread(target=pass_on, daemon=True)
    thread.start()
    return thread


def run_of(pid: int, overrides: tuple[str, ...]) -> FinishedRun | None:
    """The run that a process of this machine has started or resumed last; None if it made no folder."""
    given = {key_of(override): str(meant(value_of(override))) for override in overrides}
    named = [Path(given[key]).expanduser() for key in ("paths.run", "resume") if key in given]
    named += [checkpoint.parent.parent for checkpoint in named]  # resume= may name one
    logs = Path(given["paths.logs"]).expanduser() if "paths.logs" in given else project.logs_folder()
    files = [*(folder / "run.json" for folder in named), *last_changed(logs / "runs", "run.json")]
    for file in sorted(filter(Path.is_file, files), key=lambda file: file.stat().st_mtime, reverse=True):
        try:
            known = Manifest.read(file)
        except (OSError, ValueError):  # of another run, which is damaged or gone
            continue
        if (known.get("pid"), known.get("host")) == (pid, socket.gethostname()):
            return load(file.parent)
    return None


def call(key: str, value: object) -> str:
    """
    >>> print(call("resume", "logs/run 1"))
    atelier.train("resume='logs/run 1'")
    """
    return f'atelier.train("{key}={quoted(value)}")'


def told(run: FinishedRun | None, errors: deque[str], status: int) -> str:
    """The message about a training that failed: its error, and where the traceback is."""
    error = None if run is None else run.manifest.get("error")
    if run is None or not error:
        return f"the training ended with status {status}: {''.join(errors).strip() or 'without a message'}"
    return f"{error['type']}: {error['message']}\nThe traceback is in {run.folder / 'run.log'}"
