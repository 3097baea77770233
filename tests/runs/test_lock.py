"""A run's folder is written by one process at a time, whatever numbers processes have."""

import errno
import fcntl
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from atelier.errors import InputError
from atelier.runs.folder import claim, claimed
from atelier.runs.manifest import write_atomically
from atelier.sweeps.sweep import Job, Sweep, wait_for_leftovers

Run = Callable[..., Any]


def test_a_run_that_is_being_written_is_not_resumed(trained: Any, run_verb: Run) -> None:
    before = (trained.folder / "run.json").read_text()
    with claim(trained.folder):
        outcome = run_verb("train", f"resume={trained.folder}", "trainer.max_epochs=9", logs=trained.logs)
    assert outcome.code == 2
    assert outcome.err == f"{trained.folder} is being written by another process\n"
    assert (trained.folder / "run.json").read_text() == before


def test_a_lock_ends_with_its_holder(tmp_path: Path) -> None:
    assert not claimed(tmp_path)
    with claim(tmp_path):
        assert claimed(tmp_path)
        with pytest.raises(InputError, match="is being written by another process"):
            claim(tmp_path)
    assert not claimed(tmp_path)


def test_one_who_looks_for_a_writer_is_taken_for_none_and_is_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    claim(tmp_path).close()
    with (tmp_path / ".lock").open() as looking, monkeypatch.context() as patch:
        fcntl.flock(looking, fcntl.LOCK_SH)  # for a moment, as `claimed` does
        assert not claimed(tmp_path)
        patch.setattr("time.sleep", lambda seconds: fcntl.flock(looking, fcntl.LOCK_UN))
        with claim(tmp_path):
            assert claimed(tmp_path)


def test_a_file_system_without_locks_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def flock(*_: object) -> None:
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))

    claim(tmp_path).close()
    monkeypatch.setattr("fcntl.flock", flock)
    with pytest.raises(InputError, match=r"its file system has no locks \(Function not implemented\).* set LOG_DIR"):
        claim(tmp_path)
    assert not claimed(tmp_path), "what lies there can be read"


def test_a_half_written_file_of_a_killed_process_is_removed_and_one_of_a_living_process_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr("os.replace", lambda part, path: None)  # as if killed before it
        write_atomically(tmp_path / "run.json", "{}")
    (left,) = tmp_path.iterdir()
    with claim(tmp_path):
        assert not left.exists()
        left.touch()
        with pytest.raises(InputError):
            claim(tmp_path)
        assert left.exists()


@pytest.fixture
def sweep(tmp_path: Path) -> Sweep:
    """Of one job, whose run.json says that process 1 is running it."""
    sweep = Sweep.create(tmp_path / "sweep", [Job(0, ["seed=0"], {}, {})])
    sweep.folder(sweep.jobs[0]).path.mkdir()
    (tmp_path / "sweep" / "0" / "run.json").write_text(json.dumps({"status": "running", "pid": 1, "host": "there"}))
    return sweep


def test_a_job_whose_process_has_died_is_not_waited_for(sweep: Sweep) -> None:
    """In a container another process may have its number by now."""
    wait_for_leftovers(sweep, seconds=0)


def test_a_job_that_runs_on_is_told(sweep: Sweep) -> None:
    with (
        claim(sweep.path / "0"),
        pytest.raises(InputError, match=r"job 0 of .*/sweep is still running, on there"),
    ):
        wait_for_leftovers(sweep, seconds=0)
