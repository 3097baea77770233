"""From squeue's answers, and from what jobs say themselves, to how each of them ended."""

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from atelier.sweeps import slurm as slurm_module
from atelier.sweeps.slurm_queue import Needs
from atelier.sweeps.sweep import Sweep

Make = Callable[..., Sweep]


def test_a_sweep_goes_from_waiting_to_its_end(
    make_sweep: Make, capsys: pytest.CaptureFixture[str], fake_queue: Any, write: Any, run: Any
) -> None:
    sweep = make_sweep("do=a", "do=b")

    def happens(number: int) -> None:
        if number == 1:
            write(sweep, 0, "running")
        if number == 2:
            write(sweep, 0, "completed")
            write(sweep, 1, "failed", error={"type": "ValueError", "message": "it broke"})

    queue = fake_queue(
        "1_0 PENDING Resources\n1_1 PENDING JobArrayTaskLimit",
        "1_0 RUNNING None\n1_1 PENDING JobArrayTaskLimit",
        "1_0 COMPLETED None\n1_1 FAILED NonZeroExitCode",
        happens=happens,
    )
    cluster, ended = run(sweep, queue, jobs=list(sweep.jobs))
    assert ended == [(0, "completed"), (1, "failed")]
    assert not cluster.stopping
    assert queue.arrays == [(Needs(1, 1, 0), [0, 1], 2)]
    lines = capsys.readouterr().out.splitlines()
    assert lines[:2] == ["in Slurm's queue: Resources", "job 0 started: do=a"]
    assert lines[2].startswith("job 0 completed: do=a: val/loss 1, ")
    assert lines[3].startswith("job 1 failed: do=b: ValueError: it broke")


def test_slurms_names_are_kept_in_the_sweep(make_sweep: Make, fake_queue: Any, write: Any, run: Any) -> None:
    sweep = make_sweep("do=a", "do=b")

    def happens(number: int) -> None:
        assert Sweep.open(str(sweep.path), Path()).manifest["slurm"] == {"1_0": 0, "1_1": 1}
        write(sweep, 0, "completed")
        write(sweep, 1, "completed")

    run(sweep, fake_queue("", happens=happens))


@pytest.mark.parametrize(
    ("answer", "status", "kind", "message"),
    [
        ("1 FAILED NonZeroExitCode", None, "Slurm", "FAILED: srun: error: n1: task 0: Killed: the last words"),
        ("1 FAILED NonZeroExitCode", "running", "Slurm", "FAILED: srun: error: n1: task 0: Killed: the last words"),
        (
            "1 OUT_OF_MEMORY OutOfMemory",
            "running",
            "Slurm",
            "OUT_OF_MEMORY: srun: error: n1: task 0: Killed: the last words",
        ),
        ("1 TIMEOUT TimeLimit", "running", "Timeout", "ended by Slurm at its time limit, hydra.launcher.time"),
        ("", "running", "Slurm", "no longer in the queue: srun: error: n1: task 0: Killed: the last words"),
    ],
)
def test_what_a_job_could_not_say_is_recorded(
    make_sweep: Make, answer: str, status: str | None, kind: str, message: str, fake_queue: Any, write: Any, run: Any
) -> None:
    sweep = make_sweep("do=a")

    def happens(number: int) -> None:
        folder = sweep.path / "0"
        folder.mkdir(exist_ok=True)
        (folder / "run.log").write_text("epoch 1\nthe last words\n\n")
        if status:
            write(sweep, 0, status)

    queue = fake_queue(answer, happens=happens)
    queue.said = {"1": ["submitit INFO - Starting", "srun: error: n1: task 0: Killed"]}
    assert run(sweep, queue)[1] == [(0, "failed")]
    assert sweep.record(sweep.jobs[0])["error"] == {"type": kind, "message": message}


def test_what_an_earlier_attempt_said_is_no_cause(make_sweep: Make, fake_queue: Any, write: Any, run: Any) -> None:
    sweep = make_sweep("do=a")
    write(sweep, 0, "interrupted")
    (sweep.path / "0" / "run.log").write_text("from yesterday\n")
    queue = fake_queue("1 FAILED NonZeroExitCode")
    queue.said = {"1": ["No module named submitit", "srun: error: n1: task 0: Exited with exit code 1"]}
    assert run(sweep, queue)[1] == [(0, "failed")]
    assert sweep.record(sweep.jobs[0])["error"]["message"] == (
        "FAILED: srun: error: n1: task 0: Exited with exit code 1: No module named submitit"
    )


def test_a_job_has_time_to_say_how_it_ended(
    make_sweep: Make, monkeypatch: pytest.MonkeyPatch, fake_queue: Any, write: Any, run: Any
) -> None:
    monkeypatch.setattr(slurm_module, "SETTLE", float("inf"))
    sweep = make_sweep("do=a")
    write(sweep, 0, "running")
    late = fake_queue("1 COMPLETED None", happens=lambda n: write(sweep, 0, "completed") if n == 5 else None)
    assert run(sweep, late)[1] == [(0, "completed")]
    assert late.asked == 6


def test_a_requeued_job_goes_on(
    make_sweep: Make,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    fake_queue: Any,
    write: Any,
    run: Any,
) -> None:
    """Each time, though it is 3 seconds from an answer to the next, and a job has 5 to come back."""
    sweep = make_sweep("do=a")

    def happens(number: int) -> None:
        write(sweep, 0, "completed" if number == 9 else "interrupted" if number > 0 else "running")

    preempted = ["1 PREEMPTED None", "1 PENDING BeginTime", "1 PENDING BeginTime", "1 RUNNING None"]
    queue = fake_queue("1 RUNNING None", *preempted, *preempted, "", happens=happens)
    monkeypatch.setattr(slurm_module, "SETTLE", 5)
    clock = SimpleNamespace(monotonic=lambda: 3.0 * queue.asked, sleep=lambda seconds: None)
    monkeypatch.setattr(slurm_module, "time", clock)
    assert run(sweep, queue)[1] == [(0, "completed")]
    assert len(queue.arrays) == 1
    told = capsys.readouterr().out.splitlines()
    again = "job 0 is in Slurm's queue again and will go on: do=a"
    started = "job 0 started: do=a"
    assert told[:7] == [started, *[again, "in Slurm's queue: BeginTime", started] * 2]


def test_a_job_that_came_back_too_often_stays_interrupted(
    make_sweep: Make, fake_queue: Any, write: Any, run: Any
) -> None:
    sweep = make_sweep("do=a")
    queue = fake_queue("1 FAILED NonZeroExitCode", happens=lambda n: write(sweep, 0, "interrupted"))
    assert run(sweep, queue)[1] == [(0, "interrupted")]


@pytest.mark.parametrize(
    ("status", "end"), [("running", "interrupted"), ("interrupted", "interrupted"), (None, "waiting")]
)
def test_what_a_user_cancels_has_not_failed(
    make_sweep: Make, status: str | None, end: str, fake_queue: Any, write: Any, run: Any
) -> None:
    sweep = make_sweep("do=a")
    queue = fake_queue("1 CANCELLED None", happens=lambda n: write(sweep, 0, status) if status else None)
    assert run(sweep, queue, retries=3)[1] == [(0, end)]
    assert len(queue.arrays) == 1


def test_a_failed_job_is_tried_again_as_often_as_asked(make_sweep: Make, fake_queue: Any, write: Any, run: Any) -> None:
    sweep = make_sweep("do=a", "do=b")

    def happens(number: int) -> None:
        write(sweep, 0, "completed")
        write(sweep, 1, "failed", attempt=number)

    queue = fake_queue("", happens=happens)
    cluster, ended = run(sweep, queue, retries=2)
    assert [numbers for _, numbers, _ in queue.arrays] == [[0, 1], [1], [1]]
    assert ended == [(0, "completed"), (1, "failed")]
    assert cluster.executor.attempts == {0: 1, 1: 3}


def test_a_silent_slurm_ends_nothing(
    make_sweep: Make, capsys: pytest.CaptureFixture[str], fake_queue: Any, write: Any, run: Any
) -> None:
    sweep = make_sweep("do=a")
    queue = fake_queue(None, None, "1 COMPLETED None", happens=lambda n: write(sweep, 0, "completed"))
    assert run(sweep, queue)[1] == [(0, "completed")]
    assert capsys.readouterr().out.splitlines()[0] == "squeue does not answer"
