"""Searches whose trials are processes: side by side, failing, and killed with the whole search."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from atelier.sweeps.pool import Limits, Pool
from atelier.sweeps.process import warm_context
from atelier.sweeps.search import Search
from atelier.sweeps.search_journal import JOURNAL
from atelier.sweeps.watch import Lines

Make = Callable[..., Search]


def test_trials_run_side_by_side(search: Make, program: Path) -> None:
    one = search("do=well", "for=0.3", "best=interval(0,1)", trials=5)
    most = 0

    class Counting(Lines):
        def tick(self) -> None:
            nonlocal most
            most = max(most, len(running.running))

    running = Pool(one.sweep, program, Limits(jobs=2), warm_context(), Counting(one.sweep), cores=2)
    running.run(one.jobs(), one.done)
    assert most == 2
    assert one.counts() == {"completed": 5}
    for trial in one.study.get_trials():
        assert trial.value == pytest.approx(trial.params["best"], rel=1e-5)


def test_failing_jobs_are_survived(search: Make, program: Path, pool: Any) -> None:
    one = search("do=well,raise,kill", "best=0.5,0.25,nan", trials=7, sampler="random", seed=7)
    pool(one, program, jobs=2).run(one.jobs(), one.done)
    ended = {(trial.params["do"], trial.params["best"]): trial.state.name for trial in one.study.get_trials()}
    assert len({do for do, _ in ended}) == 3
    assert ("well", "nan") in ended
    for (do, best), state in ended.items():
        assert state == ("COMPLETE" if do == "well" and best != "nan" else "FAIL")
    assert one.counts() == {"completed": 1, "failed": 6}
    assert one.conclude() == "completed"


KILLED = ("do=well", "best=interval(0,1)", "kind=a,b")
SWEEP = f"""
import multiprocessing, sys
from pathlib import Path

sys.path.insert(0, {str(Path(__file__).parent)!r})
from conftest import pool, search_in

search = search_in(Path(sys.argv[1]), *{KILLED!r}, "for=0.5", trials=6)
pool(search, Path(sys.argv[2]), 1, multiprocessing.get_context("fork")).run(search.jobs(), search.done)
"""


def test_a_killed_search_is_resumed_with_no_trial_lost_and_none_told_twice(
    program: Path, tmp_path: Path, search_in: Make, run_all: Any, states: Any, pool: Any
) -> None:
    folder = tmp_path / "search"
    process = subprocess.Popen([sys.executable, "-c", SWEEP, folder, program], stdout=subprocess.DEVNULL)
    started = folder / "2" / "config.yaml"
    limit = time.monotonic() + 60
    while not started.exists():
        assert process.poll() is None
        assert time.monotonic() < limit
        time.sleep(0.02)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    begun = json.loads((folder / "sweep.json").read_text())["jobs"]
    assert [job["number"] for job in begun] == [0, 1, 2]
    again = search_in(folder, *KILLED, "for=0.5", trials=6)
    before = states(again)
    assert before[2] == ("RUNNING", None)
    pool(again, program, jobs=1).run(again.jobs(), again.done)
    assert states(again)[:2] == before[:2]
    assert again.counts() == {"completed": 6}
    written = [json.loads(line) for line in (folder / JOURNAL).read_text().splitlines()]
    told = [line["trial_id"] for line in written if "state" in line and line.get("values")]
    assert sorted(told) == [0, 1, 2, 3, 4, 5]
    whole = search_in(tmp_path / "whole", *KILLED, "for=0.5", trials=6)
    assert [job.overrides for job in again.sweep.jobs] == run_all(whole), "and it ends as one that was left alone"
