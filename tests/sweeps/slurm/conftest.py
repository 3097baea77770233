"""A Slurm that is made up: programs that note what they are told, and a queue that answers what it is given."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from atelier.runs.manifest import Manifest
from atelier.sweeps import slurm as slurm_module
from atelier.sweeps.run import Loop
from atelier.sweeps.slurm import Slurm
from atelier.sweeps.slurm_queue import Needs, SlurmSettings, read_squeue
from atelier.sweeps.sweep import Job, Sweep


@pytest.fixture
def told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], dict[str, str]]:
    """A folder of programs called as Slurm's, that note what they are told; `sbatch` answers with the job 7."""
    folder = tmp_path / "bin"
    folder.mkdir()
    answers = {"sbatch": "Submitted batch job 7", "srun": "", "scancel": "", "squeue": "7_0 RUNNING None"}
    for name, answer in answers.items():
        keep = f"cat $1 > {folder}/script\n" if name == "sbatch" else ""
        program = folder / name
        program.write_text(
            f'#!/bin/sh\necho "$@" > {folder}/{name}.told\nenv > {folder}/{name}.env\n{keep}echo {answer}\n'
        )
        program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    return lambda: {path.name: path.read_text() for path in folder.iterdir() if path.suffix or path.name == "script"}


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slurm_module, "ASK_EVERY", 0.0)
    monkeypatch.setattr(slurm_module, "SETTLE", 0.0)


class FakeQueue:
    """A queue that answers what it is given: a text of squeue for each time that it is asked, the last one again.

    Before an answer, `happens` is called with its number.
    """

    def __init__(self, *answers: str | None, happens: Callable[[int], None] = lambda number: None) -> None:
        self.answers, self.happens = answers, happens
        self.asked = 0
        self.arrays: list[tuple[Needs, list[int], int]] = []
        self.cancelled: list[str] = []
        self.said: dict[str, list[str]] = {}

    def submit(self, needs: Needs, jobs: list[Job], at_once: int) -> list[str]:
        self.arrays.append((needs, [job.number for job in jobs], at_once))
        array = len(self.arrays)
        return [f"{array}_{task}" for task in range(len(jobs))] if len(jobs) > 1 else [str(array)]

    def states(self, names: Any) -> dict[str, tuple[str, str]] | None:
        self.happens(self.asked)
        text = self.answers[min(self.asked, len(self.answers) - 1)]
        self.asked += 1
        assert self.asked < 100, "the sweep does not end"
        return None if text is None else read_squeue(text)

    def cancel(self, names: Any) -> None:
        self.cancelled += names

    def output(self, name: str) -> list[str]:
        return self.said.get(name, [])


@pytest.fixture(scope="session")
def fake_queue() -> type[FakeQueue]:
    return FakeQueue


def write(sweep: Sweep, number: int, status: str, **more: Any) -> None:
    """What a job itself would write."""
    folder = sweep.path / str(number)
    folder.mkdir(exist_ok=True)
    objective = {"metric": "val/loss", "mode": "min", "best": 1.0, "best_epoch": 0}
    Manifest(folder / "run.json", {}).update(status=status, objective=objective, **more)


@pytest.fixture(scope="session", name="write")
def write_fixture() -> Callable[..., None]:
    return write


@pytest.fixture
def slurm(monkeypatch: pytest.MonkeyPatch) -> Callable[[Sweep, FakeQueue, SlurmSettings], Slurm]:
    """`slurm(sweep, queue, settings)`: what runs the jobs of a sweep in that queue."""

    def make(sweep: Sweep, queue: FakeQueue, settings: SlurmSettings) -> Slurm:
        executor = Slurm(sweep, Path(), settings)
        executor.queue = queue  # type: ignore[assignment]
        monkeypatch.setattr(slurm_module, "ask_squeue", queue.states)
        return executor

    return make


@pytest.fixture
def run(slurm: Callable[..., Slurm]) -> Callable[..., tuple[Loop, list[tuple[int, str]]]]:
    """`run(sweep, queue)`: the sweep done, and the ends of its jobs as `done` hears of them."""

    def run(
        sweep: Sweep,
        queue: FakeQueue,
        jobs: Any = None,
        jobs_at_once: int | None = None,
        retries: int = 0,
        on_failure: Any = "continue",
    ) -> tuple[Loop, list[tuple[int, str]]]:
        loop = Loop(slurm(sweep, queue, SlurmSettings(jobs_at_once, retries=retries, on_failure=on_failure)))
        ended: list[tuple[int, str]] = []
        loop.run(sweep.unfinished() if jobs is None else jobs, lambda job, status: ended.append((job.number, status)))
        return loop, ended

    return run


@pytest.fixture(scope="session")
def states() -> Callable[[Sweep], list[str]]:
    return lambda sweep: [sweep.status(job) for job in sweep.jobs]
