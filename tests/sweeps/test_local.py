"""Jobs survive each other: whatever one of them does, the others are done and it is recorded what happened."""

import json
import os
import signal
import time
from collections.abc import Callable
from multiprocessing import forkserver
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from atelier.errors import InputError
from atelier.runs.manifest import Manifest
from atelier.sweeps import local as local_module
from atelier.sweeps.local import Local
from atelier.sweeps.run import Loop
from atelier.sweeps.sweep import Job, Sweep
from atelier.sweeps.watch import Lines

Make = Callable[..., Sweep]
RunLocal = Callable[..., Local]


def states(sweep: Sweep) -> list[str]:
    return [sweep.status(job) for job in sweep.jobs]


def error(sweep: Sweep, number: int) -> dict[str, Any]:
    return sweep.record(sweep.jobs[number])["error"]


def log(sweep: Sweep, number: int) -> str:
    return sweep.folder(sweep.jobs[number]).log.read_text()


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """`clock(*files)`: for the executor, time passes only when one of these files is made: 100 seconds for each."""

    def set_clock(*files: Path) -> None:
        told = SimpleNamespace(monotonic=lambda: 100.0 * sum(file.exists() for file in files))
        monkeypatch.setattr(local_module, "time", told)

    return set_clock


def gone(process: int) -> bool:
    """Whether a process has ended, or is a zombie that nobody has waited for."""
    if not Path(f"/proc/{process}").exists():
        return True
    return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] == "Z"


def test_jobs_that_end_badly_take_nothing_along(make_sweep: Make, run_local: RunLocal) -> None:
    sweep = make_sweep("do=raise", "do=exit", "do=kill", "do=early", "do=well best=3")
    run_local(sweep)
    assert states(sweep) == ["failed", "failed", "failed", "failed", "completed"]
    assert sweep.record(sweep.jobs[4])["objective"]["best"] == 3
    assert sweep.conclude() == "failed"


def test_what_happened_is_recorded(make_sweep: Make, run_local: RunLocal) -> None:
    sweep = make_sweep("do=raise", "do=kill", "do=early")
    run_local(sweep)
    assert error(sweep, 0) == {"type": "Exit", "message": "ended with status 1: RuntimeError: it broke"}
    assert error(sweep, 1) == {"type": "Killed", "message": "ended by SIGKILL (out of memory?)"}
    assert error(sweep, 2) == {"type": "Exit", "message": "ended with status 3: something is missing"}
    assert "Traceback" in log(sweep, 0)
    assert log(sweep, 1).splitlines() == ["begins", "Killed: ended by SIGKILL (out of memory?)"]


def test_a_job_that_never_became_a_run_has_a_manifest(make_sweep: Make, run_local: RunLocal) -> None:
    sweep = make_sweep("do=early")
    run_local(sweep)
    record = sweep.record(sweep.jobs[0])
    assert (record["status"], record["config_hash"], record["seed"], record["overrides"]) == (
        "failed",
        "0",
        0,
        ["do=early"],
    )
    assert record["objective"] == {"metric": "val/loss", "mode": "min", "best": None, "best_epoch": None}


def test_a_failed_job_is_tried_again_as_often_as_asked(make_sweep: Make, run_local: RunLocal) -> None:
    sweep = make_sweep("do=once", "do=early")
    local = run_local(sweep, retries=2)
    assert states(sweep) == ["completed", "failed"]
    assert local.attempts == {0: 2, 1: 3}
    assert log(sweep, 1).count("begins") == 3, "the log of each attempt is kept"


def test_a_job_that_takes_too_long_is_stopped(make_sweep: Make, run_local: RunLocal, clock: Any) -> None:
    sweep = make_sweep("do=well", "do=wait")
    clock(sweep.path / "1" / "waiting")
    run_local(sweep, timeout=1, jobs=1)
    assert states(sweep) == ["completed", "failed"]
    assert error(sweep, 1) == {"type": "Timeout", "message": "ran longer than hydra.launcher.timeout=1 seconds"}
    assert (sweep.path / "1" / "asked").exists(), "it was not killed"


def test_a_job_that_ends_well_as_its_time_is_over_has_not_failed(
    make_sweep: Make, run_local: RunLocal, clock: Any
) -> None:
    sweep = make_sweep("do=late")
    clock(sweep.path / "0" / "waiting")
    run_local(sweep, timeout=1)
    assert (states(sweep), error(sweep, 0)) == (["completed"], None)


def test_a_job_that_is_told_to_stop_may_take_its_time(
    make_sweep: Make, make_local: Make, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It validates, or waits for the other processes of its training; a second signal kills it."""
    sweep = make_sweep("do=deaf")
    local = make_local(sweep)
    monkeypatch.setattr(local_module, "GRACE", -1.0)
    try:
        assert local.start(sweep.jobs[0])
        while not (sweep.path / "0" / "waiting").exists():
            time.sleep(0.02)
        for _ in range(3):
            local.stop()
        assert list(local.ended()) == []
        assert local.running[0].process.is_alive()
        assert capsys.readouterr().out.count("waiting for the running jobs to save; a second Ctrl-C kills them") == 1
    finally:
        local.give_up()
        local.running[0].process.join()
    assert not local.running[0].process.is_alive()


def test_a_job_that_does_not_listen_is_killed(make_sweep: Make, run_local: RunLocal, clock: Any) -> None:
    """It is asked when it has taken too long, and killed 100 seconds after it has heard that."""
    assert local_module.GRACE < 100
    sweep = make_sweep("do=deaf")
    clock(sweep.path / "0" / "waiting", sweep.path / "0" / "asked")
    run_local(sweep, timeout=1)
    assert error(sweep, 0)["type"] == "Timeout"
    assert gone(sweep.record(sweep.jobs[0])["pid"])


@pytest.mark.parametrize(
    ("first", "there", "end"), [("do=wait", "0/waiting", "interrupted"), ("do=unborn", "unborn", "waiting")]
)
def test_the_others_are_stopped_if_so_asked(
    make_sweep: Make, make_local: Make, first: str, there: str, end: str
) -> None:
    """One that is a run already, and one that is not yet."""
    sweep = make_sweep(first, f"do=raise beside={there}", "do=well")
    loop = Loop(make_local(sweep, jobs=2, on_failure="stop"))
    assert loop.run(iter(sweep.unfinished())) == 0, "nobody sent a signal"
    assert states(sweep) == [end, "failed", "waiting"]


def test_a_job_that_ends_before_it_can_be_stopped_takes_nothing_along(make_sweep: Make, make_local: Make) -> None:
    """Jobs with the same fault fail together: the second has ended when the loop, busy with the first, asks it to."""
    sweep = make_sweep("do=raise", "do=well beside=go")

    class Slow(Lines):
        def ended(self, *about: Any) -> None:
            (sweep.path / "go").touch()
            for running in local.running:
                running.process.join()

    local = make_local(sweep, watcher=Slow(sweep), jobs=2, on_failure="stop")
    assert Loop(local).run(iter(sweep.jobs)) == 0
    assert states(sweep) == ["failed", "completed"]


def test_processes_that_a_job_leaves_behind_are_ended(make_sweep: Make, run_local: RunLocal, wait_until: Any) -> None:
    sweep = make_sweep("do=children")
    run_local(sweep)
    child = sweep.record(sweep.jobs[0])["child"]
    wait_until(lambda: gone(child))


class Once(Lines):
    """Sends a signal to a process, once, when there is a file."""

    def __init__(self, sweep: Sweep, file: Path, number: int, process: Callable[[], int] = os.getpid) -> None:
        super().__init__(sweep)
        self.file: Path | None = file
        self.number, self.process = number, process

    def tick(self) -> None:
        if self.file and self.file.exists():
            self.file = None
            os.kill(self.process(), self.number)


def fork_server() -> int:
    return forkserver._forkserver._forkserver_pid  # type: ignore[attr-defined]


@pytest.mark.slow
def test_jobs_that_are_lost_with_their_fork_server_go_on_once_more(make_sweep: Make, make_local: RunLocal) -> None:
    sweep = make_sweep("do=wait", "do=well")
    shot = Once(sweep, sweep.path / "0" / "waiting", signal.SIGKILL, fork_server)
    local = make_local(sweep, watcher=shot, jobs=1)
    assert Loop(local).run(iter(sweep.jobs)) == 0
    assert states(sweep) == ["completed", "completed"]
    assert local.attempts == {0: 2, 1: 1}
    assert "Lost: ended together with its fork server" in (sweep.path / "0" / "run.log").read_text()


def test_ctrl_c_lets_the_jobs_save_and_starts_no_other(make_sweep: Make, make_local: RunLocal) -> None:
    sweep = make_sweep("do=wait", "do=well")
    local = make_local(sweep, watcher=Once(sweep, sweep.path / "0" / "waiting", signal.SIGINT), jobs=1)
    assert Loop(local).run(iter(sweep.jobs)) == signal.SIGINT
    assert states(sweep) == ["interrupted", "waiting"]
    assert sweep.conclude() == "interrupted"


def test_what_is_missing_is_done_later_and_what_was_interrupted_goes_on(
    make_sweep: Make, run_local: RunLocal, clock: Any
) -> None:
    sweep = make_sweep("do=wait", "do=raise", "do=well")
    clock(sweep.path / "0" / "waiting")
    run_local(sweep, timeout=1, jobs=1)
    Manifest.read(sweep.path / "0" / "run.json").update(status="interrupted")
    again = Sweep.open(str(sweep.path), Path())
    assert [job.number for job in again.unfinished()] == [0, 1]
    run_local(again)
    assert states(again) == ["completed", "failed", "completed"]
    assert again.record(again.jobs[0])["overrides"] == [f"resume='{sweep.path / '0'}'"]


def test_a_sweep_with_a_damaged_run_tells_what_to_delete(make_sweep: Make, run_local: RunLocal) -> None:
    sweep = make_sweep("do=well", "do=well")
    run_local(sweep)
    (damaged := sweep.path / "1" / "run.json").write_text('{"status": "comp')
    with pytest.raises(InputError) as error:
        Sweep.open(str(sweep.path), Path()).unfinished()
    assert str(error.value).startswith(f"{damaged} is damaged: ")
    assert str(error.value).endswith(f"; delete {damaged.parent}, and the job begins anew")


@pytest.mark.parametrize(
    "damage",
    [
        {"jobs": {}},
        {"jobs": ["a"]},
        {"jobs": [{"number": 0}]},
        {"swept": "lr"},
        {"presentation": []},
        {"search": "tpe"},
    ],
    ids=str,
)
def test_a_sweep_whose_record_is_damaged_is_told(make_sweep: Make, damage: dict[str, Any]) -> None:
    (sweep := make_sweep("do=well")).manifest.update(**damage)
    with pytest.raises(InputError, match=rf"sweep.json cannot be read: (its|one of its) {next(iter(damage))} "):
        Sweep.read(sweep.path)


def test_a_search_is_asked_for_its_next_job_when_there_is_a_place(make_sweep: Make, make_local: RunLocal) -> None:
    sweep = make_sweep("do=well best=1", "do=well best=2", "do=well best=3")
    told: list[float] = []

    def jobs() -> Any:
        for number, job in enumerate(sweep.jobs):
            assert len(told) >= number, "with one place, a job is only asked for when those before it are known"
            yield job

    def hear(job: Job, status: str) -> None:
        told.append(json.loads((sweep.path / str(job.number) / "run.json").read_text())["objective"]["best"])

    Loop(make_local(sweep, cores=1, jobs=1)).run(jobs(), hear)
    assert told == [1, 2, 3]


def test_a_job_that_was_stopped_before_it_became_a_run_is_told(
    make_sweep: Make, capsys: pytest.CaptureFixture[str]
) -> None:
    sweep = make_sweep("do=well")
    lines = Lines(sweep)
    lines.started(sweep.jobs[0], attempt=1)
    lines.ended(sweep.jobs[0], "waiting", {}, again=False)
    assert capsys.readouterr().out.splitlines()[1] == "job 0 waiting: do=well: 0.0 s"
