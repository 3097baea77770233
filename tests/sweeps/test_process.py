"""A job's process is forked from a server, which may die."""

import multiprocessing
import signal
import time
from pathlib import Path
from typing import Any

import pytest
import torch

from atelier.sweeps.local import cause
from atelier.sweeps.process import kill_group, lead_session, run_job, start_process


def lead_and_sleep(leads: bool) -> None:
    if leads:
        lead_session()
    time.sleep(60)


@pytest.mark.parametrize("leads", [False, True])
def test_a_job_is_killed_wherever_it_is(leads: bool) -> None:
    """One whose fork server dies as it begins does not lead a group yet; a second attempt would find it at work."""
    job = multiprocessing.get_context("fork").Process(target=lead_and_sleep, args=(leads,))
    job.start()
    time.sleep(0.1)
    kill_group(job)
    job.join(10)
    assert job.exitcode == -signal.SIGKILL


def test_a_job_has_the_threads_and_the_environment_that_it_is_given_and_no_others(tmp_path: Path) -> None:
    """The server has imported torch, with the threads of its own environment."""
    script, many = tmp_path / "job.py", torch.get_num_threads() + 1
    script.write_text(
        "import os, sys, torch\nprint(sys.argv[1:], torch.get_num_threads(), sorted(os.environ.items()))\n"
    )
    given = (script, ["seed=1"], tmp_path / "run.log", {"A": "b"}, many)
    job = multiprocessing.get_context("fork").Process(target=run_job, args=given)
    job.start()
    job.join(60)
    expected = f"['seed=1'] {many} {[('A', 'b'), ('OMP_NUM_THREADS', str(many))]}\n"
    assert (job.exitcode, (tmp_path / "run.log").read_text()) == (0, expected)


def test_a_fork_server_that_dies_as_a_job_starts_is_started_again() -> None:
    class Dies:
        """A context whose first process does not start."""

        started = 0

        def Process(self, target: Any, args: Any) -> Any:
            return self

        def start(self) -> None:
            self.started += 1
            if self.started == 1:
                raise EOFError

    context = Dies()
    assert start_process(context, print, ()) is context  # type: ignore[comparison-overlap]
    assert context.started == 2


def test_the_last_line_of_a_log_is_told_whatever_bytes_it_has(tmp_path: Path) -> None:
    log = tmp_path / "run.log"
    log.write_bytes(b"begun\nno space \xe2\x86")  # a full disk has cut an arrow
    kind, told = cause(1, log)
    assert (kind, told) == ("Exit", "ended with status 1: no space \N{REPLACEMENT CHARACTER}")
