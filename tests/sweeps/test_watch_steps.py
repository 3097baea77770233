"""How far a job is, in epochs or in steps, and what of it a narrow terminal shows."""

import io
import json
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from atelier.runs.terminal import plain_console
from atelier.sweeps.sweep import Job, Sweep
from atelier.sweeps.watch import LiveTable, progress


def job(**facts: Any) -> Job:
    return Job(0, [], {}, facts)


@pytest.mark.parametrize(
    ("facts", "record", "told"),
    [
        ({"epochs": 20, "steps": None}, {"epochs": 3, "steps": 99}, "epoch 3/20"),
        ({"epochs": None, "steps": 5500}, {"epochs": 0, "steps": 1500}, "step 1,500/5,500"),
        ({"epochs": None, "steps": -1}, {"steps": 1500}, "step 1,500"),
        ({"epochs": 20}, {}, ""),
    ],
)
def test_progress_is_told_in_what_the_job_counts(facts: dict[str, Any], record: dict[str, Any], told: str) -> None:
    assert progress(job(**facts), record) == told


@pytest.mark.parametrize(
    ("facts", "before", "record", "left"),
    [
        ({"epochs": 20, "steps": None}, {}, {"epochs": 5, "steps": 1}, 30),
        ({"epochs": None, "steps": 400}, {}, {"epochs": 0, "steps": 100}, 30),
        ({"epochs": None, "steps": -1}, {}, {"steps": 100}, None),
        ({"epochs": None, "steps": 400}, {}, {"steps": 0}, None),
        # resumed: of the epochs that it has, it did those before in another time
        ({"epochs": 100, "steps": None}, {"epochs": 50, "steps": 1}, {"epochs": 51, "steps": 1}, 490),
        ({"epochs": None, "steps": 400}, {"epochs": 1, "steps": 300}, {"epochs": 1, "steps": 350}, 10),
        ({"epochs": 100, "steps": None}, {"epochs": 50, "steps": 1}, {"epochs": 50, "steps": 1}, None),
        ({"epochs": 100, "steps": None}, {"epochs": 50, "steps": 1}, {"epochs": 49, "steps": 1}, None),
    ],
)
def test_the_time_left_is_worked_out_from_what_is_done(
    monkeypatch: pytest.MonkeyPatch,
    facts: dict[str, Any],
    before: dict[str, Any],
    record: dict[str, Any],
    left: float | None,
) -> None:
    now = 100.0
    monkeypatch.setattr("atelier.sweeps.watch.time", SimpleNamespace(monotonic=lambda: now))
    sweep: Any = SimpleNamespace(record=lambda job: before)
    table = LiveTable(sweep)
    monkeypatch.setattr(table, "say", lambda text: None)
    table.started(job(**facts), 1)
    now = 110.0
    assert table.time_left(job(**facts), record) == left


def test_the_time_left_of_a_resumed_sweep_is_worked_out_from_the_jobs_done_since(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Nine of twelve jobs were done before; one in 60 seconds leaves two for two minutes."""
    now = 0.0
    monkeypatch.setattr("atelier.sweeps.watch.time", SimpleNamespace(monotonic=lambda: now))
    folder = SimpleNamespace(log="run.log")
    sweep: Any = SimpleNamespace(planned=12, record=lambda job: {}, folder=lambda job: folder)
    table = LiveTable(sweep)
    monkeypatch.setattr(table, "say", lambda text: None)

    def left(*states: str) -> str:
        console = plain_console(width=80, file=io.StringIO())
        console.print(table.bar(list(states), 0))
        return " ".join(console.file.getvalue().split()[-4:])

    now = 60.0
    before = ["completed"] * 9
    assert left(*before, "running", "waiting", "waiting").endswith("9/12 jobs")
    table.ended(job(), "interrupted", {}, again=False)
    table.ended(job(), "failed", {}, again=True)
    assert left(*before, "running", "waiting", "waiting").endswith("9/12 jobs")
    table.ended(job(), "completed", {"objective": {"metric": "val/loss", "best": None}}, again=False)
    assert left(*before, "completed", "waiting", "waiting") == "10/12 jobs 02:00 left"


def test_a_terminal_of_80_columns_shows_each_value_whole(tmp_path: Path) -> None:
    values = {"optimizer": "adam_keras", "optimizer.lr": "0.0001", "network.hidden": "[256,128,64]"}
    objective = {"metric": "val/accuracy", "mode": "max"}
    sweep = Sweep.create(tmp_path / "sweep", [Job(0, [], values, {"epochs": 20})], objective=objective, planned=1)
    (sweep.path / "0").mkdir()
    record = {"status": "running", "epochs": 12, "objective": {**objective, "best": 0.98765}}
    (sweep.path / "0/run.json").write_text(json.dumps(record))
    table = LiveTable(sweep)
    table.began[0] = time.monotonic() - 3600
    table.console = plain_console(width=80, file=io.StringIO())
    table.console.print(table.picture())
    shown = table.console.file.getvalue()
    words = ("adam_keras", "0.0001", "[256,128,64]", "running", "epoch 12/20", "0.9877", "40:00")
    assert [word for word in words if word not in shown] == []


def test_a_low_terminal_shows_first_what_runs_and_failed_and_tells_how_many_it_leaves_out(tmp_path: Path) -> None:
    """Time is left to running jobs alone; above the table stand failures alone."""
    objective = {"metric": "val/loss", "mode": "min"}
    states = ["completed", "completed", "waiting", "failed", "running"]
    jobs = [Job(number, [], {"seed": f"s{number}"}, {"epochs": 20}) for number in range(5)]
    sweep = Sweep.create(tmp_path / "sweep", jobs, objective=objective)
    for number, status in enumerate(states):
        (sweep.path / str(number)).mkdir()
        record = {"status": status, "epochs": 10, "objective": {**objective, "best": None}, "pruned": number != 0}
        (sweep.path / f"{number}/run.json").write_text(json.dumps(record))
    table = LiveTable(sweep)
    table.began, table.why = {0: time.monotonic() - 60}, "in Slurm's queue: Priority"
    table.console = plain_console(width=80, height=10, file=io.StringIO())
    table.say("job 3 failed: seed=s3")
    table.say("job 4 started: seed=s4")
    table.console.print(table.picture())
    said, _, *rows, why, bar = (line.split() for line in table.console.file.getvalue().splitlines())
    assert said == ["job", "3", "failed:", "seed=s3"]
    assert rows == [
        ["0", "s0", "completed", "epoch", "10/20"],
        ["1", "s1", "pruned", "epoch", "10/20"],
        ["3", "s3", "failed", "epoch", "10/20"],
        ["4", "s4", "running", "epoch", "10/20"],
    ]
    assert " ".join(why) == table.why
    assert " ".join(bar[1:]) == "3/5 jobs, 1 failed (1 not shown)"
