"""Inside of a Slurm job: how it begins or goes on with its run, and when it asks to be requeued."""

import contextlib
import json
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from atelier.sweeps import slurm_task
from atelier.sweeps.slurm import Slurm
from atelier.sweeps.slurm_queue import SlurmSettings
from atelier.sweeps.sweep import Sweep

Make = Callable[..., Sweep]
RUN = """
import json, os, signal, sys
from pathlib import Path

folder = Path(os.environ["ATELIER_RUN"])
note = {"arguments": sys.argv[1:], "threads": os.environ["OMP_NUM_THREADS"], "found": sorted(os.listdir(folder))}
(folder.parent / "note.json").write_text(json.dumps(note))
"""
ASKED = "sys.exit(143)"


class Inside:
    """A process of job 0 of a sweep, as srun starts it; `scontrol` notes what it is told and says `state`."""

    def __init__(self, sweep: Sweep, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, write: Any) -> None:
        self.sweep, self.tmp_path, self.monkeypatch, self.write = sweep, tmp_path, monkeypatch, write
        self.folder = sweep.path / "0"
        (sweep.path / "slurm").mkdir()
        self.environment(SLURM_PROCID=0, SLURM_NTASKS=1, SLURM_JOB_ID=12)

    def environment(self, **variables: object) -> None:
        for name, value in variables.items():
            self.monkeypatch.setenv(name, str(value))

    def slurm_says(self, state: str) -> None:
        program = self.tmp_path / "scontrol"
        program.write_text(f"#!/bin/sh\necho \"$@\" >> {self.tmp_path}/told\necho '   JobState={state} Reason=None'\n")
        program.chmod(0o755)
        self.environment(PATH=f"{self.tmp_path}:{os.environ['PATH']}")

    def run(self, then: str = "", requeues: int = 3) -> Any:
        """The job's exit status, None if it ended well; `then` is what its program does after it took a note."""
        program = self.tmp_path / "program.py"
        program.write_text(RUN + then)
        try:
            slurm_task.run_task(0, program, self.sweep.path, requeues)
        except SystemExit as end:
            return end.code
        return None

    @property
    def note(self) -> dict[str, Any]:
        return json.loads((self.sweep.path / "note.json").read_text())

    @property
    def requeued(self) -> list[str]:
        """The jobs that scontrol was told to requeue."""
        told = self.tmp_path / "told"
        lines = told.read_text().splitlines() if told.exists() else []
        return [line.removeprefix("requeue ") for line in lines if line.startswith("requeue ")]

    def as_run(self, status: str) -> None:
        """A run as an earlier start left it."""
        self.write(self.sweep, 0, status)
        (self.folder / "config.yaml").write_text("{}")


@pytest.fixture
def inside(make_sweep: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, write: Any) -> Iterator[Inside]:
    signals = (signal.SIGTERM, signal.SIGCONT, signal.SIGUSR1, signal.SIGUSR2)
    before = {number: signal.getsignal(number) for number in signals}
    monkeypatch.setattr(slurm_task, "redirect", lambda log: None)
    monkeypatch.setattr("faulthandler.enable", lambda: None)
    monkeypatch.setattr(sys, "argv", sys.argv)
    monkeypatch.setenv("ATELIER_RUN", "another job's")
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    yield Inside(make_sweep("lr=0.1"), tmp_path, monkeypatch, write)
    for number, handler in before.items():
        signal.signal(number, handler)


def test_a_job_begins_with_its_own_arguments(inside: Inside) -> None:
    assert inside.run() is None
    assert inside.note["arguments"] == ["lr=0.1", *inside.sweep.arguments(inside.sweep.jobs[0])[1:]]
    own = {f"paths.run='{inside.folder}'", f"sweep.folder='{inside.sweep.path}'", "sweep.swept=['do']"}
    assert own <= {*inside.note["arguments"]}
    assert inside.note["found"] == []


def test_a_job_that_slurm_starts_again_goes_on_with_its_run(inside: Inside) -> None:
    inside.environment(SLURM_RESTART_COUNT=1)
    inside.as_run("interrupted")
    inside.run()
    assert inside.note["arguments"] == [f"resume='{inside.folder}'"]


def test_what_never_became_a_run_begins_anew(inside: Inside) -> None:
    inside.environment(SLURM_RESTART_COUNT=1)
    (inside.folder / "checkpoints").mkdir(parents=True)
    inside.run()
    assert inside.note["arguments"][0] == "lr=0.1"
    assert inside.note["found"] == []


@pytest.mark.parametrize(
    ("variables", "threads"),
    [
        ({"SLURM_CPUS_PER_TASK": 3, "SLURM_CPUS_ON_NODE": 8}, "3"),
        ({"SLURM_CPUS_ON_NODE": 8, "SLURM_NTASKS_PER_NODE": 2}, "4"),
        ({"SLURM_CPUS_ON_NODE": 1, "SLURM_NTASKS_PER_NODE": 2}, "1"),
    ],
)
def test_a_process_uses_the_cores_that_it_was_given(
    inside: Inside, monkeypatch: pytest.MonkeyPatch, variables: dict[str, object], threads: str
) -> None:
    monkeypatch.delenv("OMP_NUM_THREADS")
    inside.environment(**variables)
    inside.run()
    assert inside.note["threads"] == threads


@pytest.mark.parametrize("asked", [None, 2])
def test_a_sweep_keeps_the_threads_that_its_first_jobs_were_given(
    inside: Inside, monkeypatch: pytest.MonkeyPatch, asked: int | None
) -> None:
    for cores in (asked, 7):  # OMP_NUM_THREADS is 1
        sweep, settings = Sweep.open(str(inside.sweep.path), Path()), SlurmSettings(cpus_per_task=cores)
        Slurm(sweep, Path(), settings)
    assert Sweep.open(str(inside.sweep.path), Path()).threads == (asked or 7)
    inside.environment(SLURM_CPUS_PER_TASK=3, OMP_NUM_THREADS=4)
    inside.run()
    assert inside.note["threads"] == str(asked or 7)


@pytest.mark.parametrize("omp", [None, 2, "2,4", "many"])
def test_where_nothing_is_asked_for_the_first_job_that_begins_decides(
    inside: Inside, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], omp: int | str | None
) -> None:
    monkeypatch.delenv("OMP_NUM_THREADS")
    first = 2 if str(omp).startswith("2") else 3
    inside.environment(SLURM_CPUS_PER_TASK=3, **({"OMP_NUM_THREADS": omp} if omp else {}))
    inside.run()
    assert (inside.note["threads"], capsys.readouterr().out) == (str(first), "")
    monkeypatch.delenv("OMP_NUM_THREADS")
    inside.environment(SLURM_CPUS_PER_TASK=5)
    inside.run()
    assert (inside.note["threads"], capsys.readouterr().out) == (str(first), "")
    inside.environment(SLURM_CPUS_PER_TASK=1)
    inside.run()
    told = f"Threads: {first}, as at the start, for equal numbers; this machine has 1 cores, so it is slower\n"
    assert (inside.note["threads"], capsys.readouterr().out) == (str(first), told)
    resumed = Sweep.open(str(inside.sweep.path), Path())
    assert resumed.threads == first
    assert [path.name for path in resumed.path.glob(".threads*")] == []


def test_of_jobs_that_begin_at_once_one_decides(inside: Inside) -> None:
    barrier = threading.Barrier(8)

    def begin(cores: int) -> int:
        sweep = Sweep.open(str(inside.sweep.path), Path())
        barrier.wait()
        return sweep.decide_threads(cores)

    with ThreadPoolExecutor(8) as pool:
        decided = list(pool.map(begin, range(1, 9)))
    assert len(set(decided)) == 1
    assert set(decided) <= set(range(1, 9))


def test_an_interrupted_job_comes_back(inside: Inside) -> None:
    inside.slurm_says("RUNNING")
    inside.as_run("interrupted")
    assert inside.run(ASKED) == 143
    assert inside.requeued == ["12"]


def test_a_job_of_an_array_comes_back_under_its_own_name(inside: Inside) -> None:
    """The last job of an array has the array's number as its SLURM_JOB_ID."""
    inside.slurm_says("RUNNING")
    inside.environment(SLURM_JOB_ID=7, SLURM_ARRAY_JOB_ID=7, SLURM_ARRAY_TASK_ID=3)
    inside.as_run("interrupted")
    inside.run(ASKED)
    assert inside.requeued == ["7_3"]


def test_a_signal_before_the_run_listens_counts_as_well(inside: Inside) -> None:
    inside.slurm_says("RUNNING")
    assert inside.run("os.kill(os.getpid(), signal.SIGTERM)") == 143
    assert inside.requeued == ["12"]


@pytest.mark.parametrize("number", [signal.SIGUSR1, signal.SIGUSR2])
def test_other_warnings_count_as_sigterm(inside: Inside, number: int) -> None:
    inside.slurm_says("RUNNING")
    assert inside.run(f"os.kill(os.getpid(), {int(number)})") == 143
    assert inside.requeued == ["12"]


@pytest.mark.parametrize(
    ("state", "status", "then", "restarts"),
    [
        ("COMPLETING", "interrupted", ASKED, 0),  # cancelled
        ("PENDING", "interrupted", ASKED, 0),  # Slurm has requeued it itself
        ("RUNNING", "failed", ASKED, 0),  # ended because another process of the run failed
        ("RUNNING", "interrupted", "sys.exit(1)", 0),  # failed before it could say so
        ("RUNNING", "interrupted", "raise ValueError", 0),
        ("RUNNING", "completed", "", 0),
        ("RUNNING", "interrupted", ASKED, 3),  # as often as it may
    ],
)
def test_any_other_job_does_not_come_back(inside: Inside, state: str, status: str, then: str, restarts: int) -> None:
    inside.slurm_says(state)
    inside.environment(SLURM_RESTART_COUNT=restarts)
    inside.as_run(status)
    with contextlib.suppress(ValueError):
        inside.run(then, requeues=3)
    assert inside.requeued == []


def test_a_job_that_was_started_too_often_does_nothing(inside: Inside) -> None:
    inside.environment(SLURM_RESTART_COUNT=4)
    assert str(inside.run(requeues=3)).startswith("Slurm has restarted this job 4 times")
    assert not (inside.sweep.path / "note.json").exists()


def test_further_processes_do_as_the_first_one_does(inside: Inside) -> None:
    """Though run.json is there when they look, the first one has begun anew."""
    inside.environment(SLURM_NTASKS=2)
    inside.run()
    first = inside.note["arguments"]
    inside.as_run("running")
    inside.environment(SLURM_PROCID=1)
    inside.run()
    assert inside.note["arguments"] == first
    assert first[0] == "lr=0.1"


@pytest.mark.parametrize("now", [{}, {"SLURM_RESTART_COUNT": 1}, {"SLURM_JOB_ID": 13}], ids=str)
def test_further_processes_do_not_wait_for_ever(
    inside: Inside, monkeypatch: pytest.MonkeyPatch, now: dict[str, int]
) -> None:
    """Nor do they begin as an earlier start of the job did, or another job."""
    monkeypatch.setattr(slurm_task, "PATIENCE", 0.0)
    inside.environment(SLURM_NTASKS=2)
    if now:
        inside.run()
        inside.as_run("running")
    inside.environment(SLURM_PROCID=1, **now)
    assert str(inside.run()).startswith("rank 0 of this job has not written ")
