"""Shows the progress of a sweep: a live table on a terminal, a line for each event elsewhere."""

import shlex
import sys
import time
from datetime import timedelta
from typing import Any

from rich.console import Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from atelier.project import command
from atelier.runs.overrides import typed
from atelier.runs.terminal import plain_console
from atelier.sweeps.sweep import Job, Sweep

REFRESH = 1.0  # seconds between two readings of the jobs' run.json
COLOURS = {"running": "cyan", "completed": "green", "failed": "bold red", "interrupted": "yellow", "waiting": "dim"}
ORDER = ("running", "failed", "interrupted", "completed", "waiting")


class Lines:
    """Prints a line for each event."""

    def __init__(self, sweep: Sweep) -> None:
        self.sweep = sweep
        self.began: dict[int, float] = {}
        self.had: dict[int, int] = {}  # epochs or steps that a job had done before
        self.why = ""
        self.first, self.over = time.monotonic(), 0  # and the number of jobs that have ended since

    def started(self, job: Job, attempt: int) -> None:
        self.began[job.number] = time.monotonic()
        self.had[job.number] = self.sweep.record(job).get(length(job)[0]) or 0
        self.say(f"job {job.number} started: {job.name}" + (f" (attempt {attempt})" if attempt > 1 else ""))

    def ended(self, job: Job, status: str, record: dict[str, Any], again: bool) -> None:
        self.over += not again and status in ("completed", "failed")
        seconds = time.monotonic() - self.began.get(job.number, time.monotonic())
        said = best(record) if status == "completed" else failure(record) if status == "failed" else ""
        log = f", log: {self.sweep.folder(job).log}" if status == "failed" else ""
        retry = "; it is tried again" if again else ""
        self.say(f"job {job.number} {status}: {job.name}: {said + ', ' if said else ''}{seconds:.1f} s{log}{retry}")

    def queued(self, why: str) -> None:
        """Show what the sweep waits for, such as a cluster's queue; "": nothing but its jobs."""
        if why and why != self.why:
            self.say(why)
        self.why = why

    def say(self, text: str) -> None:
        print(text, flush=True)

    def tick(self) -> None:
        """Nothing happens between events."""

    def close(self) -> None:
        """Nothing to close."""


class LiveTable(Lines):
    """A table of the jobs at the bottom of the terminal, with a progress bar of the sweep."""

    def __init__(self, sweep: Sweep) -> None:
        super().__init__(sweep)
        self.console = plain_console(file=sys.stderr)
        self.live = Live(console=self.console, auto_refresh=False, transient=True)
        self.last = 0.0

    def say(self, text: str) -> None:
        """Print failures above the table, which shows all other events."""
        if " failed: " in text:
            self.console.print(Text(text, style="red"))

    def tick(self) -> None:
        if time.monotonic() - self.last >= REFRESH:
            self.last = time.monotonic()
            self.live.start()  # does nothing if it has started
            self.live.update(self.picture(), refresh=True)

    def close(self) -> None:
        self.live.stop()

    def picture(self) -> Group:
        """The table of as many jobs as fit the terminal, running jobs first, and the progress bar of the sweep."""
        records = {job.number: self.sweep.record(job) for job in self.sweep.jobs}
        states = {number: record.get("status", "waiting") for number, record in records.items()}
        room = max(3, self.console.height - 6)
        shown = sorted(self.sweep.jobs, key=lambda job: (ORDER.index(states[job.number]), job.number))[:room]
        table = Table(box=None, pad_edge=False)
        keys = list(self.sweep.jobs[0].values) if self.sweep.jobs else []
        lasts = [key.rpartition(".")[2] for key in keys]  # words of the keys
        table.add_column("job", justify="right")
        for key, last in zip(keys, lasts, strict=True):
            table.add_column(key if lasts.count(last) > 1 else last)
        table.add_column("state")
        for title in ("done", self.sweep.manifest["objective"]["metric"] + " so far", "left"):
            table.add_column(title, justify="right")
        for job in sorted(shown, key=lambda job: job.number):
            record, state = records[job.number], states[job.number]
            score = record.get("objective", {}).get("best")
            left = duration(self.time_left(job, record)) if state == "running" else ""
            ended_early = state == "completed" and record.get("pruned")
            word = Text("pruned" if ended_early else state, style=COLOURS[state])
            so_far = "" if score is None else f"{score:.4g}"
            table.add_row(str(job.number), *job.values.values(), word, progress(job, record), so_far, left)
        waiting = [Text(self.why, style="dim")] * bool(self.why)
        return Group(table, *waiting, self.bar(list(states.values()), len(self.sweep.jobs) - len(shown)))

    def bar(self, states: list[str], hidden: int) -> Table:
        over = sum(state in ("completed", "failed") for state in states)
        seconds, planned = time.monotonic() - self.first, self.sweep.planned
        line = Table.grid(padding=(0, 1))
        left = f"{duration(seconds * (planned - over) / self.over)} left" if self.over else ""
        counts = f"{over}/{planned} jobs" + (f", {states.count('failed')} failed" if "failed" in states else "")
        more = f"({hidden} not shown)" if hidden > 0 else ""
        line.add_row(ProgressBar(total=planned, completed=over, width=30), counts, left, more)
        return line

    def time_left(self, job: Job, record: dict[str, Any]) -> float | None:
        """Estimated remaining seconds of a job, from the mean time of the epochs or steps since it began or resumed."""
        unit, limit = length(job)
        done = record.get(unit) or 0
        new = done - self.had.get(job.number, 0)
        if limit is None or new <= 0 or job.number not in self.began:
            return None
        return (time.monotonic() - self.began[job.number]) / new * (limit - done)


def length(job: Job) -> tuple[str, int | None]:
    """The unit that a job counts, epochs or steps, and its planned number, None if unknown."""
    unit = "steps" if job.facts.get("steps") is not None else "epochs"
    limit = job.facts.get(unit)
    return unit, limit if isinstance(limit, int) and limit > 0 else None


def progress(job: Job, record: dict[str, Any]) -> str:
    """The progress of a job, such as 'epoch 3/20' or 'step 500/5,500'; "" before it starts."""
    if not record:
        return ""
    unit, limit = length(job)
    return f"{unit[:-1]} {record.get(unit) or 0:,}" + (f"/{limit:,}" if limit else "")


def best(record: dict[str, Any]) -> str:
    """The score of a completed run, which its search may have ended early."""
    objective = record["objective"]
    told = "" if objective["best"] is None else f"{objective['metric']} {objective['best']:.4g}"
    return f"pruned at {told}" if record.get("pruned") else told


def failure(record: dict[str, Any]) -> str:
    error = record.get("error") or {}
    message = (error.get("message") or "").splitlines()
    return f"{error.get('type', 'unknown')}: {message[0] if message else ''}"


def duration(seconds: float | None) -> str:
    """A time in seconds as minutes and seconds, with the hours if there are any; "" if it is not known."""
    return "" if seconds is None else str(timedelta(seconds=round(seconds))).removeprefix("0:")


def last_words(sweep: Sweep) -> list[str]:
    """The last lines of an unfinished sweep: the failed jobs with their logs, and the command that resumes it."""
    failed = [job for job in sweep.jobs if sweep.status(job) == "failed"]
    lines = [f"{len(failed)} of {len(sweep.jobs)} jobs failed:"] * bool(failed)
    for job in failed:
        lines.append(f"  job {job.number}, {job.name}: {failure(sweep.record(job))}")
        lines.append(f"    {sweep.folder(job).log}")
    if sweep.manifest["status"] == "interrupted" or (sweep.unfinished() and not sweep.search):
        words = [*map(shlex.quote, sweep.content.get("launcher") or []), typed("sweep.resume", sweep.path)]
        lines.append(f"Go on with: {command('train')} -m {' '.join(words)}")
    return lines
