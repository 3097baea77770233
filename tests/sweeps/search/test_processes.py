"""Searches whose trials are processes: side by side, failing, and killed with the whole search."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from atelier.runs.judge import JOURNAL
from atelier.sweeps.local import Limits, Local
from atelier.sweeps.run import Loop
from atelier.sweeps.search import Search
from atelier.sweeps.sweep import Job
from atelier.sweeps.watch import Lines

Make = Callable[..., Search]


def test_trials_run_side_by_side(search: Make, program: Path) -> None:
    """The first two wait for each other, so that they would not end one after the other."""
    one = search("do=well", "beside=1/run.json", "best=interval(0,1)", trials=5)
    running: list[int] = []

    class Counting(Lines):
        def started(self, job: Job, attempt: int) -> None:
            running.append(len(local.running))

    local = Local(one.sweep, program, Limits(jobs=2))
    local.cores, local.watcher = 2, Counting(one.sweep)
    Loop(local).run(one.jobs(), one.done)
    assert (running[:2], len(running), max(running)) == ([1, 2], 5, 2)
    assert one.counts() == {"completed": 5}
    for trial in one.study.get_trials():
        assert trial.value == pytest.approx(trial.params["best"], rel=1e-5)


def test_failing_jobs_are_survived(search: Make, program: Path, loop: Any) -> None:
    one = search("do=well,raise,kill", "best=0.5,0.25,nan", trials=7, sampler="random", seed=7)
    loop(one, program, jobs=2).run(one.jobs(), one.done)
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
from conftest import loop, search_in

search = search_in(Path(sys.argv[1]), *{KILLED!r}, trials=6)
loop(search, Path(sys.argv[2]), 1, multiprocessing.get_context("fork")).run(search.jobs(), search.done)
"""


@pytest.mark.slow
def test_a_killed_search_is_resumed_with_no_trial_lost_and_none_told_twice(
    program: Path, tmp_path: Path, search_in: Make, run_all: Any, states: Any, loop: Any, hold: Any, wait_until: Any
) -> None:
    folder = tmp_path / "search"
    command = [sys.executable, "-c", SWEEP, folder, program]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, env={**os.environ, **hold.at("2")})
    wait_until(lambda: hold.reached("2"), process)
    trial = hold.reached("2")
    process.kill()
    process.wait()
    wait_until(lambda: not Path(f"/proc/{trial}").exists())
    begun = json.loads((folder / "sweep.json").read_text())["jobs"]
    assert [job["number"] for job in begun] == [0, 1, 2]
    again = search_in(folder, *KILLED, trials=6)
    before = states(again)
    assert before[2] == ("RUNNING", None)
    loop(again, program, jobs=1).run(again.jobs(), again.done)
    assert states(again)[:2] == before[:2]
    assert again.counts() == {"completed": 6}
    written = [json.loads(line) for line in (folder / JOURNAL).read_text().splitlines()]
    told = [line["trial_id"] for line in written if "state" in line and line.get("values")]
    assert sorted(told) == [0, 1, 2, 3, 4, 5]
    whole = search_in(tmp_path / "whole", *KILLED, trials=6)
    assert [job.overrides for job in again.sweep.jobs] == run_all(whole), "and it ends as one that was left alone"
