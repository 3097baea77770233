"""`atelier.train` around a command: what it prints, how it ends, its interrupts. The command is a small one here.

tests/api/test_notebook.py trains with the real one.
"""

import os
import re
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import atelier
from atelier.api import child, project

Command = Callable[[str], None]
START = """
    import json, os, pathlib, signal, socket, sys, time
    folder = pathlib.Path(os.environ["LOG_DIR"]) / "runs" / "default" / "new"
    def write(status, **more):
        folder.mkdir(parents=True, exist_ok=True)
        content = {"status": status, "pid": os.getpid(), "host": socket.gethostname()} | more
        (folder / "run.json").write_text(json.dumps(content))
"""


@pytest.fixture
def command(logs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Command:
    """`command(text)`: from now on, a training is this program, in which `write(status)` writes run.json."""

    def be(text: str) -> None:
        script = tmp_path / "command.py"
        script.write_text(textwrap.dedent(START) + textwrap.dedent(text))
        monkeypatch.setattr(project, "train_script", lambda: script)

    return be


def test_the_run_comes_back_and_its_lines_came_by(
    command: Command, left: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    command('write("completed"); print("é", sys.argv[1:]); print("warned", file=sys.stderr)')
    os.utime(left("run") / "run.json", (2e9, 2e9))  # another's, which is newer
    damaged = left("run", "damaged") / "run.json"
    damaged.write_text("{")
    os.utime(damaged, (2e9, 2e9))
    run = atelier.train("optimizer.lr=0.1")
    assert (run.folder.name, run.status) == ("new", "completed")
    assert capsys.readouterr() == ("é ['optimizer.lr=0.1']\n", "warned\n")


def test_neither_an_older_run_nor_one_of_another_machine_comes_back(command: Command) -> None:
    """Their processes may have had the same number."""
    command("""
        new = folder
        for name, host, time in (("new", socket.gethostname(), 2), ("old", socket.gethostname(), 1), ("far", "far", 3)):
            folder = new.with_name(name)
            write("completed", host=host)
            os.utime(folder / "run.json", (time, time))
    """)
    assert atelier.train().folder.name == "new"


def test_a_command_does_not_take_a_notebook_for_a_terminal(
    command: Command, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Which would print the whole configuration, coloured. A kernel of Jupyter sets FORCE_COLOR."""
    monkeypatch.setenv("FORCE_COLOR", "1")
    command("""
        from rich.console import Console
        print(Console().is_terminal)
        write("completed")
    """)
    atelier.train()
    assert capsys.readouterr().out == "False\n"


def test_a_line_appears_when_it_is_printed(command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The command waits for a file that is made when its line has come."""
    command("""
        print("begun")
        while not pathlib.Path("seen").exists():
            time.sleep(0.01)
        write("completed")
    """)
    monkeypatch.chdir(tmp_path)

    class Out:
        def write(self, text: str) -> None:
            Path("seen").write_text(text)

        def flush(self) -> None:
            pass

    monkeypatch.setattr(sys, "stdout", Out())
    atelier.train()
    assert Path("seen").read_text() == "begun\n"


def test_wrong_settings_raise_what_the_command_says(logs: Path) -> None:
    """The real one."""
    with pytest.raises(atelier.InputError, match=r"^optimizer=adamm: no 'adamm'; choose from: adam, .*$"):
        atelier.train("optimizer=adamm")


@pytest.mark.parametrize("override", ["-m", "--help", "sweep.resume=latest", 3])
def test_what_is_no_training_is_refused(logs: Path, override: Any) -> None:
    with pytest.raises(atelier.InputError, match=f"{override}: give overrides such as"):
        atelier.train(override)


def test_a_failed_run_raises_its_error(command: Command) -> None:
    command('write("failed", error={"type": "OSError", "message": "no space"}); sys.exit(1)')
    with pytest.raises(atelier.RunFailed, match=r"^OSError: no space\nThe traceback is in .*run.log$") as error:
        atelier.train()
    assert error.value.run is not None
    assert error.value.run.status == "failed"


@pytest.mark.parametrize(
    ("end", "told"), [("sys.exit('out of luck')", "status 1: out of luck"), ("pass", "status 0: without a message")]
)
def test_a_command_that_made_no_run_raises_what_it_said(command: Command, end: str, told: str) -> None:
    command(end)
    with pytest.raises(atelier.RunFailed, match=f"the training ended with {told}") as error:
        atelier.train()
    assert error.value.run is None


@pytest.mark.parametrize("key", ["paths.run", "paths.logs", "resume"])
def test_a_run_in_another_place_is_found(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, key: str
) -> None:
    command("""
        key, _, place = sys.argv[1].partition("=")
        place = pathlib.Path(place.strip("'"))
        folder = {"paths.run": place, "resume": place.parent.parent}.get(key, place / "runs" / "default" / "new")
        write("completed")
    """)
    monkeypatch.chdir(tmp_path)
    place = "el se/checkpoints/last.ckpt" if key == "resume" else "el se"
    assert atelier.train(f"{key}='{place}'").folder.is_relative_to(tmp_path / "el se")


@pytest.mark.parametrize("key", ["paths.run", "paths.logs", "resume"])
def test_a_run_at_home_is_found(command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, key: str) -> None:
    """The command expands the tilde."""
    command("""
        key, _, place = sys.argv[1].partition("=")
        place = pathlib.Path(place).expanduser()
        folder = place / "runs" / "default" / "new" if key == "paths.logs" else place
        write("completed")
    """)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert atelier.train(f"{key}=~/mine").folder.is_relative_to(tmp_path / "home" / "mine")


SAVES = """
    def stop(number, frame):
        write("interrupted", signal=number)
        sys.exit(130)
    signal.signal(signal.SIGINT, stop)
    signal.signal(signal.SIGTERM, stop)
    print("begun")
    time.sleep(60)
"""


@pytest.fixture
def interruptible() -> Iterator[None]:
    """SIGINT raises KeyboardInterrupt, which the processes of pytest-xdist ignore."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("interruptible")
@pytest.mark.parametrize("status", [130, 0])
def test_an_interrupt_reaches_the_run_which_saves(
    command: Command, logs: Path, monkeypatch: pytest.MonkeyPatch, status: int
) -> None:
    """Also where the run was complete by then."""
    command(SAVES.replace("130", str(status)))

    class Out:
        def write(self, text: str) -> None:
            os.kill(os.getpid(), signal.SIGINT)

        def flush(self) -> None:
            pass

    monkeypatch.setattr(sys, "stdout", Out())
    with pytest.raises(KeyboardInterrupt, match=r"go on with atelier.train\(.resume='.*new'.\)"):
        atelier.train()
    assert atelier.load("latest").manifest["signal"] == signal.SIGINT


def test_a_run_that_something_else_interrupts_raises_an_interrupt(command: Command) -> None:
    command('write("interrupted"); sys.exit(130)')
    with pytest.raises(KeyboardInterrupt, match=r"go on with atelier.train\(.resume="):
        atelier.train()


def test_a_stream_that_was_closed_does_not_hold_the_training_up(
    command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    command('print("a line\\n" * 100_000); write("completed")')
    closed = open(os.devnull, "w")  # noqa: SIM115
    closed.close()
    monkeypatch.setattr(sys, "stdout", closed)
    assert atelier.train().status == "completed"


def test_a_training_saves_when_the_notebook_is_killed(logs: Path, tmp_path: Path) -> None:
    script = tmp_path / "command.py"
    script.write_text(textwrap.dedent(START) + textwrap.dedent(SAVES))
    notebook = subprocess.Popen(
        [
            sys.executable,
            "-c",
            f"from atelier.api import project, train; project.train_script = lambda: {str(script)!r}; train.train()",
        ],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert notebook.stdout is not None
    assert notebook.stdout.readline() == "begun\n"
    notebook.kill()
    notebook.communicate()
    patience = time.monotonic() + 60
    while not (logs / "runs" / "default" / "new" / "run.json").exists() and time.monotonic() < patience:
        time.sleep(0.02)
    assert atelier.load("latest").manifest["signal"] == signal.SIGTERM


def test_two_trainings_at_once_are_told_apart(command: Command) -> None:
    command("""
        folder = folder.with_name(sys.argv[1].partition("=")[2])
        write("completed")
    """)
    found: dict[str, str] = {}

    def train(seed: str) -> None:
        found[seed] = atelier.train(f"seed={seed}").folder.name

    threads = [threading.Thread(target=train, args=(seed,)) for seed in ("1", "2", "3")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == {"1": "1", "2": "2", "3": "3"}


def test_the_child_is_a_script_that_imports_nothing_of_ours() -> None:
    """It runs before `src` is on the path, perhaps that of another checkout."""
    assert re.findall(r"^(?:import|from) (\w+)", Path(child.__file__).read_text(), re.MULTILINE) == [
        *["os", "runpy", "signal", "sys", "threading", "pathlib"]
    ]
