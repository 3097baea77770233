"""Runs the missing jobs of the list, a sweep after another, at low priority.

Each sweep is the command that a user would type, in its own session; the state of a job is its run folder. The queue
can therefore be stopped and started at any time, and take over sweeps that a user has started.
"""

import fcntl
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import TextIO

from atelier.errors import InputError
from atelier.results.plan import Part
from atelier.results.runs import Runs
from atelier.sweeps.process import give_way, lead_session
from atelier.sweeps.records import Record

PATIENT = 19  # the lowest priority
PAUSE = 0.25  # seconds between two checks of a sweep
EVENT = re.compile(r"job \d+ (completed|failed|interrupted): ")  # lines of a sweep that the queue prints, too
OF_THE_LAUNCHER = ("hydra.launcher.", "hydra/launcher=")


class Queue:
    """The queue of the sweeps `parts`, in the project's folder `root`.

    Args:
        runs: maps a study's name to its present runs.
        extra: overrides for every sweep that change no number: of the launcher, or a precision.
        cores: number of jobs at once, unless `extra` sets it.
    """

    def __init__(
        self,
        root: Path,
        parts: Sequence[Part],
        runs: Callable[[str], Runs],
        extra: Sequence[str],
        cores: int,
    ) -> None:
        self.root, self.parts, self.runs = root, parts, runs
        at_once = (
            [] if any(one.startswith("hydra.launcher.jobs=") for one in extra) else [f"hydra.launcher.jobs={cores}"]
        )
        self.launcher = [*at_once, *(one for one in extra if one.startswith(OF_THE_LAUNCHER))]
        self.extra = [one for one in extra if not one.startswith(OF_THE_LAUNCHER)]
        self.process: subprocess.Popen[bytes] | None = None
        self.stopping = 0  # the signal that ends the queue

    def run(self) -> int:
        """Run all missing jobs; return the exit status: 1 if a sweep is incomplete, 128 + n after signal n."""
        failed = 0
        before = {number: signal.signal(number, self.stop) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            for part in self.parts:
                if not self.stopping:
                    failed += not self.do(part)
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
        if self.stopping:
            return 128 + self.stopping
        say(f"{failed} of {len(self.parts)} sweeps are not complete" if failed else "all is done")
        return int(failed > 0)

    def stop(self, number: int, frame: FrameType | None) -> None:
        """Pass a signal on to the sweep: its jobs save and stop, and after a second signal they are killed."""
        self.stopping = number
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(number)

    def do(self, part: Part) -> bool:
        """Start or resume a sweep and wait for its end; return whether all jobs are done."""
        runs = self.runs(part.study)
        if not all(part.done(runs.kept)) and self.wait_for_another(part):  # the other process may have run the jobs
            runs = self.runs(part.study)
        if self.stopping or all(part.done(runs.kept)):
            return True
        set_aside(runs.superseded, part)
        done = part.done(part.records())
        if part.changed():
            say(f"{part.name}: left out, since its jobs have changed; move {part.folder} away to run it again")
            return False
        say(f"{part.name}: {'resumes' if part.records() else 'starts'}, {sum(done)} of {len(done)} jobs are done")
        began, log = time.monotonic(), part.folder.with_name(f"{part.folder.name}.log")
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("ab") as output:
            start = log.stat().st_size
            command = [sys.executable, str(self.root / "src" / "train.py"), "-m", *self.arguments(part)]
            self.process = subprocess.Popen(
                command, cwd=self.root, stdout=output, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
                preexec_fn=lead_session,  # keeps the low priority in the new session
            )  # fmt: skip
        if self.stopping:  # a signal since the last check
            self.process.send_signal(self.stopping)
        with log.open(encoding="utf-8", errors="replace") as told:
            told.seek(start)
            self.follow(part, told)
            told.seek(start)
            status, said = self.process.returncode, last_line(told)
        self.process = None
        done = part.done(part.records())
        hours = f"{(time.monotonic() - began) / 3600:.2f} h"
        if all(done):
            say(f"{part.name}: completed, {len(done)} jobs, {hours}")
        else:
            why = "stopped" if self.stopping else f"ended with status {status}: {said}"
            say(f"{part.name}: {sum(done)} of {len(done)} jobs are done, {hours}; {why}; {log}")
        return all(done)

    def arguments(self, part: Part) -> list[str]:
        if (part.folder / "sweep.json").is_file():
            return [*self.launcher, f"sweep.resume={part.folder}"]
        if part.folder.is_dir() and not any(part.folder.iterdir()):
            part.folder.rmdir()  # of a sweep that was killed before it wrote sweep.json
        own = ["hydra.launcher.threads_per_job=1", f"hydra.sweep.dir={part.folder}"]
        threads = any(one.startswith("hydra.launcher.threads_per_job=") for one in self.launcher)
        return [*part.arguments, *self.extra, *self.launcher, *own[threads:]]

    def follow(self, part: Part, told: TextIO) -> None:
        """Print the ends of jobs until the sweep ends."""
        assert self.process is not None
        running = True
        while running:
            running = self.process.poll() is None
            for line in whole_lines(told):
                if EVENT.match(line):
                    say(f"{part.name}: {line}")
            if running:
                time.sleep(PAUSE)

    def wait_for_another(self, part: Part) -> bool:
        """Wait for another process that runs this sweep, such as a user's; return whether there was one."""
        if not is_locked(part.folder / ".lock"):
            return False
        say(f"{part.name}: another process runs it; waiting for that to end")
        while not self.stopping and is_locked(part.folder / ".lock"):
            time.sleep(PAUSE)
        return True


def whole_lines(file: TextIO) -> Iterator[str]:
    """The complete lines that were written since the last call."""
    while True:
        place = file.tell()
        line = file.readline()
        if not line.endswith("\n"):
            file.seek(place)
            return
        yield line.rstrip("\n")


def last_line(file: TextIO) -> str:
    said = [line.strip() for line in file if line.strip()]
    return said[-1] if said else "no output"


def set_aside(superseded: Sequence[Record], part: Part) -> None:
    """Move runs whose setting has changed out of their sweep, so that their jobs run again."""
    for record in superseded:
        if record.folder is not None and record.folder.parent == part.folder:
            place = part.folder.parent / "superseded" / f"{part.folder.name}-{record.folder.name}"
            place = place.with_name(f"{place.name}-{record.get('config_hash')}")
            place.parent.mkdir(exist_ok=True)
            record.folder.rename(place)
            say(f"{part.name}: job {record.folder.name} runs again, its setting having changed; before: {place}")


def is_locked(lock: Path) -> bool:
    """Whether a process holds the lock of a sweep's folder."""
    if not lock.is_file():
        return False
    with lock.open("r+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return True
    return False


@contextmanager
def alone(results: Path) -> Iterator[None]:
    """Inside this context, hold the lock of the queue's folder.

    Raises:
        InputError: if another queue holds the lock.
    """
    results.mkdir(parents=True, exist_ok=True)
    with (results / ".lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise InputError(f"{results}: another queue is at work there") from None
        yield


def be_patient(nice: int = PATIENT) -> None:
    """Lower the priority of this process and its children."""
    os.nice(nice)
    give_way(nice)


def say(text: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {text}", flush=True)
