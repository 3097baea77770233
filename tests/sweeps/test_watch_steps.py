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
    ("facts", "record", "left"),
    [
        ({"epochs": 20, "steps": None}, {"epochs": 5, "steps": 1}, 30),
        ({"epochs": None, "steps": 400}, {"epochs": 0, "steps": 100}, 30),
        ({"epochs": None, "steps": -1}, {"steps": 100}, None),
        ({"epochs": None, "steps": 400}, {"steps": 0}, None),
    ],
)
def test_the_time_left_is_worked_out_from_what_is_done(
    monkeypatch: pytest.MonkeyPatch, facts: dict[str, Any], record: dict[str, Any], left: float | None
) -> None:
    monkeypatch.setattr("atelier.sweeps.watch.time", SimpleNamespace(monotonic=lambda: 110.0))
    table: Any = SimpleNamespace(began={0: 100.0})
    assert LiveTable.time_left(table, job(**facts), record) == left


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
