"""Whatever ends the process that checks jobs: those that check for it end, too. One that is killed is replaced."""

import multiprocessing
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from subprocess import Popen
from typing import Any

import pytest

from atelier.errors import InputError
from atelier.sweeps import preflight
from atelier.sweeps.preflight import check_all

CHECKING = """
import multiprocessing, os, signal, sys, time
from pathlib import Path
from atelier.sweeps import preflight

def check(job):
    Path(job[0]).write_text(str(os.getpid()))
    time.sleep(600)

if __name__ == "__main__":
    signal.signal(signal.SIGHUP, signal.SIG_DFL)  # nohup's children ignore it
    context = multiprocessing.get_context("forkserver")  # which imports nothing
    preflight.warm_context, preflight.cores = lambda: context, lambda: 2
    folder = Path(sys.argv[1])
    if sys.argv[2] == "all":
        preflight.check_all(check, [[str(folder / str(number))] for number in range(8)])
    else:
        preflight.check_all(check, [[str(folder / "0")]], interrupted=False)
"""


@pytest.mark.parametrize(
    ("kind", "processes", "number"),
    [
        ("all", 2, signal.SIGKILL),
        pytest.param("all", 2, signal.SIGTERM, marks=pytest.mark.slow),
        ("one", 1, signal.SIGHUP),
    ],
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
    try:
        wait_until(lambda: sum(file.stat().st_size > 0 for file in begun.iterdir()) == processes, process)
        checking = [int(file.read_text()) for file in begun.iterdir()]
        process.send_signal(number)
        process.wait(timeout=600)
    finally:
        process.kill()
        process.wait()
    wait_until(lambda: not any(Path(f"/proc/{number}").exists() for number in checking))


def killed(job: list[str]) -> dict[str, Any]:
    """A check that is killed as often as its job says, and counts in the job's file."""
    file, times = Path(job[0]), int(job[1])
    with file.open("a") as begun:
        begun.write("begun\n")
    if len(file.read_text().split()) <= times:
        os.kill(os.getpid(), signal.SIGKILL)
    return {"begun": len(file.read_text().split())}


@pytest.fixture
def _forked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two processes, which begin at once."""
    monkeypatch.setattr(preflight, "PAUSES", (0, 0))
    monkeypatch.setattr(preflight, "cores", lambda: 2)
    monkeypatch.setattr(preflight, "warm_context", lambda: multiprocessing.get_context("fork"))


@pytest.mark.usefixtures("_forked")
def test_a_check_that_is_killed_is_begun_again(tmp_path: Path) -> None:
    assert check_all(killed, [[str(tmp_path / "one"), "1"]]) == [{"begun": 2}]
    jobs = [[str(tmp_path / str(number)), str(int(number == 3))] for number in range(8)]
    assert len(check_all(killed, jobs)) == 8


@pytest.mark.usefixtures("_forked")
def test_checks_that_are_always_killed_are_told_in_a_line(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"end early.* \(out of memory\?\)") as told:
        check_all(killed, [[str(tmp_path / "one"), "9"]])
    assert len(str(told.value).splitlines()) == 1
