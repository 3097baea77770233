"""The process of a job: forked from a server that has imported the libraries, it runs `src/train.py`."""

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

AUTOGROUP = Path("/proc/self/autogroup")  # the nice value of this session, on Linux
DYING = 30.0  # seconds that a killed fork server may take to free its memory
PRELOAD = ("atelier.compose.warm",)


def warm_context() -> BaseContext:
    """The multiprocessing context of a fork server that has imported `PRELOAD`."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(list(PRELOAD))
    return context


def start_process(context: Any, target: Callable[..., Any], arguments: Sequence[Any]) -> BaseProcess:
    """Start a process that calls `target`; a fork server that has died is replaced."""
    end = time.monotonic() + DYING
    while True:
        try:
            process = context.Process(target=target, args=arguments)
            process.start()
            return process
        except (EOFError, ConnectionError):  # the dying server refuses the request until it is gone
            if time.monotonic() > end:
                raise
            time.sleep(0.1)


def run_job(script: Path, arguments: Sequence[str], log: Path, environment: Mapping[str, str], threads: int) -> None:
    """Run `python <script> <arguments>` in this process, with all output in `log`.

    The process leads its own process group: a Ctrl-C at the terminal reaches only the sweep, and all processes of a job
    can be ended together. If the sweep dies, the job saves and stops.
    """
    lead_session()
    redirect(log)
    faulthandler.enable()
    os.environ.clear()
    os.environ.update(environment, OMP_NUM_THREADS=str(threads))
    if "torch" in sys.modules:  # torch read OMP_NUM_THREADS when the fork server imported it
        sys.modules["torch"].set_num_threads(threads)
    end_with_parent(lambda: os.kill(os.getpid(), signal.SIGTERM))
    sys.argv = [str(script), *arguments]
    runpy.run_path(str(script), run_name="__main__")


def lead_session() -> None:
    """Start a session with the nice value of the present one: Linux divides the CPU between sessions."""
    before = AUTOGROUP.read_text().split() if AUTOGROUP.exists() else []  # '/autogroup-31 nice 19'; empty if disabled
    os.setsid()
    give_way(int(before[-1]) if before else 0)


def give_way(nice: int) -> None:
    """Set the session's nice value, if the kernel has autogroups: 0 is normal, 19 the lowest priority."""
    with contextlib.suppress(OSError):
        if nice and AUTOGROUP.exists():
            AUTOGROUP.write_text(str(nice))


def redirect(log: Path) -> None:
    """Redirect standard output and error to `log`, and input from /dev/null, for this process and its children."""
    sys.stdout.flush()
    sys.stderr.flush()
    nowhere = os.open(os.devnull, os.O_RDONLY)
    file = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW, 0o644)
    for source, target in ((nowhere, 0), (file, 1), (file, 2)):
        os.dup2(source, target)
    sys.stdout = open(1, "w", encoding="utf-8", buffering=1, closefd=False)  # noqa: SIM115
    sys.stderr = open(2, "w", encoding="utf-8", buffering=1, closefd=False)  # noqa: SIM115


def end_with_parent(end: Callable[[], object]) -> None:
    """Call `end` when the process that requested this process has died; the fork server may outlive it."""
    parent = multiprocessing.parent_process()

    def watch() -> None:
        wait([parent.sentinel])  # type: ignore[union-attr]
        end()

    if parent is not None:
        threading.Thread(target=watch, daemon=True).start()


def begin_check(interrupted: bool) -> None:
    """Initialize a process that checks jobs and ends with its parent; `interrupted`: whether a Ctrl-C ends it, too."""
    if not interrupted:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
    end_with_parent(lambda: os._exit(1))


def kill_group(process: BaseProcess) -> None:
    """Kill all processes of a job that still run, also one that has not come so far as to lead its group."""
    for kill in (os.killpg, os.kill):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            kill(process.pid or 0, signal.SIGKILL)
