"""Runs the missing jobs of the list, sweep by sweep in order, at low priority.

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
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import TextIO

from atelier.errors import InputError
from atelier.results.plan import Part, given
from atelier.results.runs import Runs
from atelier.runs.folder import claimed
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
        lanes: number of sweeps at once, which share the cores: with two, no core waits for a sweep's last job.
    """

    def __init__(
        self,
        root: Path,
        parts: Sequence[Part],
        runs: Callable[[str], Runs],
        extra: Sequence[str],
        cores: int,
        lanes: int = 1,
    ) -> None:
        self.root, self.parts, self.runs = root, parts, runs
        typed = [one for one in extra if one.startswith(OF_THE_LAUNCHER)]
        self.lanes = 1 if typed else min(lanes, cores)
        limited = any(one.startswith("hydra.launcher.jobs=") for one in typed)
        self.launcher = [*([] if limited else [f"hydra.launcher.jobs={-(-cores // self.lanes)}"]), *typed]
        self.extra = [one for one in extra if not one.startswith(OF_THE_LAUNCHER)]
        self.processes: set[subprocess.Popen[bytes]] = set()
        self.stopping = 0  # the signal that ends the queue

    def run(self) -> int:
        """Run all missing jobs; return the exit status: 1 if a sweep is incomplete, 128 + n after signal n."""
        failed = 0
        before = {number: signal.signal(number, self.stop) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            waiting, active = iter(self.parts), list[Generator[None, None, bool]]()
            while True:
                while len(active) < self.lanes and not self.stopping and (part := next(waiting, None)):
                    active.append(self.do(part))
                if not active:
                    break
                for sweep in list(active):
                    try:
                        next(sweep)
                    except StopIteration as end:
                        active.remove(sweep)
                        failed += not end.value
                time.sleep(PAUSE * bool(active))
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
        if self.stopping:
            return 128 + self.stopping
        say(f"{failed} of {len(self.parts)} sweeps are not complete" if failed else "all is done")
        return int(failed > 0)

    def stop(self, number: int, frame: FrameType | None) -> None:
        """Pass a signal on to the sweeps: their jobs save and stop, and after a second signal they are killed."""
        self.stopping = number
        for process in self.processes:
            if process.poll() is None:
                process.send_signal(number)

    def do(self, part: Part) -> Generator[None, None, bool]:
        """Start or resume a sweep, yield until it ends, and return whether all jobs are done."""
        runs = self.runs(part.study)
        waited = not all(part.done(runs.kept)) and (yield from self.wait_for_another(part))
        if waited:  # the other process may have run the jobs
            runs = self.runs(part.study)
        if self.stopping or all(part.done(runs.kept)):
            return True
        if part.changed():
            say(f"{part.name}: left out, since its jobs have changed; move {part.folder} away to run it again")
            return False
        set_aside(runs.superseded, part)
        begun = part.records()
        done = part.done(begun)
        say(f"{part.name}: {'resumes' if begun else 'starts'}, {sum(done)} of {len(done)} jobs are done")
        for caution in self.cautions(part, begun, sum(part.done(runs.kept))):
            say(f"{part.name}: {caution}")
        began, log = time.monotonic(), part.folder.with_name(f"{part.folder.name}.log")
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("ab") as output:
            start = log.stat().st_size
            command = [sys.executable, str(self.root / "src" / "train.py"), "-m", *self.arguments(part)]
            process = subprocess.Popen(
                command, cwd=self.root, stdout=output, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
                preexec_fn=lead_session,  # keeps the low priority in the new session
            )  # fmt: skip
        self.processes.add(process)
        if self.stopping:  # a signal since the last check
            process.send_signal(self.stopping)
        with log.open(encoding="utf-8", errors="replace") as told:
            told.seek(start)
            yield from follow(part, process, told)
            told.seek(start)
            said = last_line(told)
        self.processes.remove(process)
        done = part.done(part.records())
        hours = f"{(time.monotonic() - began) / 3600:.2f} h"
        if all(done):
            say(f"{part.name}: completed, {len(done)} jobs, {hours}")
        else:
            why = "stopped" if self.stopping else f"ended with status {process.returncode}: {said}"
            say(f"{part.name}: {sum(done)} of {len(done)} jobs are done, {hours}; {why}; {log}")
        return all(done)

    def cautions(self, part: Part, begun: Sequence[Record], recorded: int) -> Iterator[str]:
        """What a user may not expect of a sweep with the records `begun`, of which so many jobs are done anywhere."""
        if part.reduced:
            yield f"reduced: {part.reduced}"
        if recorded and not begun:
            yield f"{recorded} of its jobs are in the record and run again: a sweep is run as a whole on a machine"
        if lacking := [one for one in self.extra if begun and not all(one in given(record) for record in begun)]:
            yield f"goes on as it began, without {' '.join(lacking)}"

    def arguments(self, part: Part) -> list[str]:
        if (part.folder / "sweep.json").is_file():
            return [*self.launcher, f"sweep.resume={part.folder}"]
        if part.folder.is_dir() and not any(part.folder.iterdir()):
            part.folder.rmdir()  # of a sweep that was killed before it wrote sweep.json
        own = ["hydra.launcher.threads_per_job=1", f"hydra.sweep.dir={part.folder}"]
        threads = any(one.startswith("hydra.launcher.threads_per_job=") for one in self.launcher)
        return [*part.arguments, *self.extra, *self.launcher, *own[threads:]]

    def wait_for_another(self, part: Part) -> Generator[None, None, bool]:
        """Yield while another process runs this sweep, such as a user's; return whether there was one."""
        if not claimed(part.folder):
            return False
        say(f"{part.name}: another process runs it; waiting for that to end")
        while not self.stopping and claimed(part.folder):
            yield
        return True


def follow(part: Part, process: subprocess.Popen[bytes], told: TextIO) -> Iterator[None]:
    """Print the ends of jobs, and yield, until the sweep's process ends."""
    running = True
    while running:
        running = process.poll() is None
        for line in whole_lines(told):
            if EVENT.match(line):
                say(f"{part.name}: {line}")
        if running:
            yield


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
            if taken := len(list(place.parent.glob(f"{place.name}*"))):  # it has had this setting before
                place = place.with_name(f"{place.name}-{taken + 1}")
            record.folder.rename(place)
            say(f"{part.name}: job {record.folder.name} runs again, its setting having changed; before: {place}")


@contextmanager
def alone(results: Path) -> Iterator[None]:
    """Inside this context, hold the lock of the queue's folder.

    Raises:
        InputError: if another queue holds the lock.
    """
    results.mkdir(parents=True, exist_ok=True)
    with (results / ".lock").open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            file.seek(0)
            told = f"another queue is at work there, process {file.read().strip() or 'unknown'}"
            raise InputError(f"{results}: {told}; make results ARGS=status tells how far it is") from None
        file.truncate(0)
        print(os.getpid(), file=file, flush=True)
        yield


def be_patient(nice: int = PATIENT) -> None:
    """Lower the priority of this process and its children."""
    os.nice(nice)
    give_way(nice)


def busy(nice: int, cores: int) -> str:
    """A message that others use the cores now, so that a queue of this nice value waits for them, else ""."""
    load = os.getloadavg()[0]  # the mean number of processes that want a core, over a minute
    if not nice or load < cores:
        return ""
    others = f"others keep this machine's {cores} cores busy (load {load:.1f})"
    return f"{others}; at nice {nice} the jobs get what these leave, ARGS='run --nice 0' an equal share"


def say(text: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {text}", flush=True)
