"""How far a job is, in epochs or in steps."""

from types import SimpleNamespace
from typing import Any

import pytest

from atelier.sweeps.sweep import Job
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
