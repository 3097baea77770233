"""A job's process: forked from a server that has the imports behind it, then the same as the command typed by hand."""

import contextlib
import faulthandler
import multiprocessing
import os
import runpy
import signal
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from multiprocessing.connection import wait
from multiprocessing.context import BaseContext
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

AUTOGROUP = Path("/proc/self/autogroup")  # how patient this session is, on Linux
DYING = 30.0  # seconds that a killed fork server may take to free its memory
# What a job would import first of all, and what takes long.
PRELOAD = (
    "lightning.pytorch",
    "torchmetrics",
    "torchvision",
    "matplotlib.figure",
    "pydantic.type_adapter",
    "atelier.compose.warm",
)


def warm_context() -> BaseContext:
    """Where processes are forked from a server that has `PRELOAD` imported; fresh ones where there is no such thing."""
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(list(PRELOAD))
    return context


def start_process(context: Any, target: Callable[..., Any], arguments: Sequence[Any]) -> BaseProcess:
    """A process that calls `target`, from a new fork server if the one that there was has died."""
    end = time.monotonic() + DYING
    while True:
        try:
            process = context.Process(target=target, args=arguments)
            process.start()
            return process
        except (EOFError, ConnectionError):  # it takes no more, and for a moment it is still there
            if time.monotonic() > end:
                raise
            time.sleep(0.1)


def run_job(script: Path, arguments: Sequence[str], log: Path, environment: Mapping[str, str], threads: int) -> None:
    """Be `python <script> <arguments>`, with all output in `log`, until it ends.

    The process leads a group of its own, so that a Ctrl-C at the terminal reaches the sweep alone and all processes of
    a job can be ended together. If the sweep dies, the job saves and stops.
    """
    lead_session()
    redirect(log)
    faulthandler.enable()
    os.environ.clear()
    os.environ.update(environment, OMP_NUM_THREADS=str(threads))
    if "torch" in sys.modules:  # it has read its environment already
        sys.modules["torch"].set_num_threads(threads)
    end_with_parent(lambda: os.kill(os.getpid(), signal.SIGTERM))
    sys.argv = [str(script), *arguments]
    runpy.run_path(str(script), run_name="__main__")


def lead_session() -> None:
    """Lead a session of its own that is as patient as the one before: Linux shares the processor between sessions."""
    before = AUTOGROUP.read_text().split() if AUTOGROUP.exists() else []  # '/autogroup-31 nice 19'; empty if turned off
    os.setsid()
    give_way(int(before[-1]) if before else 0)


def give_way(nice: int) -> None:
    """Let the other sessions go first, where the kernel has such groups: 0 is as all others, 19 the most patient."""
    with contextlib.suppress(OSError):
        if nice and AUTOGROUP.exists():
            AUTOGROUP.write_text(str(nice))


def redirect(log: Path) -> None:
    """Standard input from nowhere, output and errors into `log`, for this process and those it starts."""
    sys.stdout.flush()
    sys.stderr.flush()
    nowhere = os.open(os.devnull, os.O_RDONLY)
    file = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    for source, target in ((nowhere, 0), (file, 1), (file, 2)):
        os.dup2(source, target)
    sys.stdout = open(1, "w", encoding="utf-8", buffering=1, closefd=False)  # noqa: SIM115
    sys.stderr = open(2, "w", encoding="utf-8", buffering=1, closefd=False)  # noqa: SIM115


def end_with_parent(end: Callable[[], object]) -> None:
    """Call `end` when the process that asked for this one has died: the fork server, its parent, lives on."""
    parent = multiprocessing.parent_process()

    def watch() -> None:
        wait([parent.sentinel])  # type: ignore[union-attr]
        end()

    if parent is not None:
        threading.Thread(target=watch, daemon=True).start()


def begin_check(interrupted: bool) -> None:
    """Begin a process that checks jobs, which dies with the one that asked; `interrupted`: a Ctrl-C is for it, too."""
    if not interrupted:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
    end_with_parent(lambda: os._exit(1))


def end_group(leader: int, number: int) -> None:
    """Send a signal to all processes of a job that are still there."""
    try:
        os.killpg(leader, number)
    except (ProcessLookupError, PermissionError):
        return
