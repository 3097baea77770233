"""Whatever ends the process that checks jobs: those that check for it end, too."""

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from subprocess import Popen
from typing import Any

import pytest

CHECKING = """
import multiprocessing, os, signal, sys, time
from pathlib import Path
from atelier.sweeps.preflight import check_one, preflight

def check(job):
    Path(job[0]).write_text(str(os.getpid()))
    time.sleep(600)

if __name__ == "__main__":
    signal.signal(signal.SIGHUP, signal.SIG_DFL)  # nohup's children ignore it
    context = multiprocessing.get_context("forkserver")
    folder = Path(sys.argv[1])
    if sys.argv[2] == "all":
        preflight(check, [[str(folder / str(number))] for number in range(8)], context, 2)
    else:
        check_one(check, context, [str(folder / "0")])
"""


@pytest.mark.parametrize(
    ("kind", "processes", "number"),
    [("all", 2, signal.SIGKILL), ("all", 2, signal.SIGTERM), ("one", 1, signal.SIGHUP)],
    ids=["all-kill", "all-term", "one-hup"],
)
def test_no_check_outlives_the_process_that_asked(
    tmp_path: Path, wait_until: Callable[..., Any], kind: str, processes: int, number: int
) -> None:
    script, begun = tmp_path / "checking.py", tmp_path / "begun"
    script.write_text(CHECKING)
    begun.mkdir()
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    process = Popen([sys.executable, str(script), str(begun), kind], env=environment)
    wait_until(lambda: sum(file.stat().st_size > 0 for file in begun.iterdir()) == processes, process)
    checking = [int(file.read_text()) for file in begun.iterdir()]
    process.send_signal(number)
    process.wait(timeout=60)
    wait_until(lambda: not any(Path(f"/proc/{number}").exists() for number in checking))
