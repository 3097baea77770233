"""The queue, with a program in the place of src/train.py whose jobs take no time, held and killed where tests want."""

import json
import os
import shutil
import signal
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from atelier.errors import InputError
from atelier.results.export import export_all
from atelier.results.queue import alone, busy

ONE = "entries: [{study: tiny, seeds: [0]}]"
ALL = ["seed-0 0", "seed-0 1", "seed-1 0", "seed-1 1"]


def test_all_jobs_are_done_in_order_and_none_again(project: Any, capfd: pytest.CaptureFixture[str]) -> None:
    assert project.run() == 0
    assert project.ran() == ALL
    said = [line.partition(" ")[2] for line in capfd.readouterr().out.splitlines()]
    assert said[0] == "tiny, seed 0: starts, 0 of 2 jobs are done"
    assert said[1].startswith("tiny, seed 0: job 0 completed: {'optimizer': 'sgd'}")
    assert said[3].startswith("tiny, seed 0: completed, 2 jobs")
    assert (len(said), said[-1]) == (9, "all is done")
    folder = project.root / "logs" / "results" / "tiny" / "seed-0"
    assert project.commands()[0] == (
        f"-m study=tiny seed=0 hydra.launcher.jobs=2 hydra.launcher.threads_per_job=1 hydra.sweep.dir={folder}"
    )
    assert project.run() == 0
    assert project.ran() == ALL
    assert len(project.commands()) == 2, "no process is started for what is done"


def test_what_the_record_has_is_not_done_again_where_there_are_no_logs(project: Any) -> None:
    assert project.run() == 0
    told = list(export_all(project.parts(), project.root / "conf", project.root / "logs", project.root / "docs"))
    assert told[0].startswith("tiny: 4 runs, 2 of 2 repeats whole")
    shutil.rmtree(project.root / "logs")
    assert project.run() == 0
    assert project.ran() == ALL
    project.write_list("entries:\n  - {study: tiny, seeds: [0, 1, 2]}\n")
    assert project.run() == 0
    assert project.ran() == [*ALL, "seed-2 0", "seed-2 1"]


def test_what_is_typed_beside_goes_to_every_sweep(project: Any) -> None:
    project.run("hydra.launcher.jobs=1", "trainer.precision=bf16-mixed")
    assert all("hydra.launcher.jobs=1 " in command for command in project.commands())
    assert all("hydra.launcher.jobs=2" not in command for command in project.commands())
    assert all(" trainer.precision=bf16-mixed " in command for command in project.commands())
    assert project.run() == 0
    assert project.ran() == ALL, "a precision makes no other job of it"


def test_runs_whose_command_set_what_the_study_sets_itself_by_now_are_the_studys(project: Any) -> None:
    project.run("trainer.max_epochs=200", "optimizer.lr=0.1")
    assert project.run() == 1, "others than the study's"
    study = project.root / "conf" / "study" / "tiny.yaml"
    grid = study.read_text()
    for others in ("optimizer: {lr: 0.2}\n", "optimizer: {lr: 0.1}\n"):
        study.write_text(f"{grid}trainer: {{max_epochs: 200}}\n{others}")
        assert project.run() == int("0.2" in others)
    assert project.ran() == ALL


def test_an_entry_may_set_what_its_study_sets_too(project: Any) -> None:
    study = project.root / "conf" / "study" / "tiny.yaml"
    study.write_text(f"{study.read_text()}data: {{augment: true}}\n")
    project.write_list("entries: [{study: tiny, seeds: [0], overrides: [data.augment=true], reduced: nothing}]")
    assert project.run() == 0
    project.write_list(ONE)
    assert project.run() == 0
    assert project.ran() == ALL[:2]


def test_two_sweeps_share_the_cores_so_that_none_waits_for_a_last_job(
    project: Any, wait_until: Callable[..., None]
) -> None:
    held = project.hold("job-1")
    queue = project.start(lanes=2)
    wait_until(lambda: held.exists() and len(project.commands()) == 2, queue)
    project.let_go("job-1")
    queue.communicate()
    assert queue.returncode == 0
    assert sorted(project.ran()) == ALL
    assert all("hydra.launcher.jobs=1 " in command for command in project.commands())


def test_a_queue_that_is_killed_three_times_ends_with_the_same(project: Any, wait_until: Callable[..., None]) -> None:
    for place in ("empty", "job-0", "job-1"):
        held = project.hold(place)
        queue = project.start()
        wait_until(held.exists, queue)
        queue.kill()  # its sweep lives on
        queue.communicate()
        project.let_go(place)
    assert project.run() == 0
    assert sorted(project.ran()) == ALL, "each job once"
    assert project.statuses() == ["completed"] * 4


@pytest.mark.parametrize(
    "places", [("early", "job-1"), pytest.param(("early", "empty", "job-0", "job-1"), marks=pytest.mark.slow)], ids=str
)
def test_a_sweep_that_is_killed_with_its_queue_is_gone_on_with(
    project: Any, wait_until: Callable[..., None], places: tuple[str, ...]
) -> None:
    for place in places:
        held = project.hold(place)
        queue = project.start()
        wait_until(held.exists, queue)
        (sweep,) = children(queue.pid)
        for process in (queue.pid, sweep):
            os.kill(process, signal.SIGKILL)
        queue.communicate()
        project.let_go(place)
        wait_until(lambda dead=sweep: not Path(f"/proc/{dead}/cmdline").exists() or not cmdline(dead))
    assert project.run() == 0
    assert sorted(project.ran()) == ALL


def children(process: int) -> list[int]:
    return [int(one) for one in Path(f"/proc/{process}/task/{process}/children").read_text().split()]


def cmdline(process: int) -> bytes:
    return Path(f"/proc/{process}/cmdline").read_bytes()


@pytest.mark.parametrize("number", [signal.SIGTERM, pytest.param(signal.SIGINT, marks=pytest.mark.slow)])
def test_a_signal_goes_on_to_the_sweep_which_saves(
    project: Any, wait_until: Callable[..., None], number: signal.Signals
) -> None:
    held = project.hold("job-1")
    queue = project.start()
    wait_until(held.exists, queue)
    queue.send_signal(number)
    out, _ = queue.communicate()
    assert queue.returncode == 128 + number
    assert "tiny, seed 0: 1 of 2 jobs are done" in out.splitlines()[-1]
    assert "; stopped; " in out.splitlines()[-1]
    assert project.statuses() == ["completed", "interrupted"], "and the second seed is not begun"
    project.let_go("job-1")
    assert project.run() == 0
    assert project.ran() == ALL


def test_a_sweep_that_is_run_by_hand_is_waited_for_and_taken_over(
    project: Any, wait_until: Callable[..., None]
) -> None:
    held = project.hold("job-0")
    folder = project.root / "logs" / "results" / "tiny" / "seed-0"
    by_hand = [sys.executable, str(project.root / "src" / "train.py"), "-m", "study=tiny", "seed=0"]
    other = subprocess.Popen([*by_hand, f"hydra.sweep.dir={folder}"], stdout=subprocess.DEVNULL)
    wait_until(held.exists, other)
    queue = project.start()
    assert queue.stdout is not None
    assert "another process runs it; waiting" in queue.stdout.readline()
    project.let_go("job-0")
    queue.communicate()
    assert queue.returncode == other.wait() == 0
    assert project.ran() == ALL


def test_two_queues_do_not_share_a_folder(project: Any) -> None:
    with (
        alone(project.root / "logs" / "results"),
        pytest.raises(InputError, match=f"another queue is at work there, process {os.getpid()}; make results ARGS=st"),
        alone(project.root / "logs" / "results"),
    ):
        pass


def test_a_failed_job_stops_nothing_and_is_tried_again_the_next_time(
    project: Any, capfd: pytest.CaptureFixture[str]
) -> None:
    (project.root / "fail-0").touch()
    assert project.run() == 1
    assert project.ran() == ALL
    said = capfd.readouterr().out
    assert "tiny, seed 0: job 0 failed" in said
    assert "tiny, seed 0: 1 of 2 jobs are done" in said
    assert "ended with status 1: some failed; " in said
    assert "2 of 2 sweeps are not complete" in said
    (project.root / "fail-0").unlink()
    assert project.run() == 0
    assert project.ran() == [*ALL, "seed-0 0", "seed-1 0"]


@pytest.mark.parametrize("jobs", ["sgd, rmsprop", "sgd"])
def test_a_sweep_of_other_jobs_is_left_out(project: Any, capfd: pytest.CaptureFixture[str], jobs: str) -> None:
    (project.root / "fail-0").touch()
    assert project.run() == 1
    (project.root / "conf" / "study" / "tiny.yaml").write_text(f"study: {{grid: {{optimizer: [{jobs}], seed: [0]}}}}")
    project.write_list(ONE)
    assert project.run() == 1
    assert "tiny, seed 0: left out, since its jobs have changed; move" in capfd.readouterr().out
    assert project.ran() == ALL


def test_runs_whose_setting_means_something_else_by_now_are_set_aside_and_done_anew(project: Any) -> None:
    held = project.root / "logs" / "results" / "tiny"
    project.write_list(ONE)
    assert project.run() == 0
    (project.root / "hash").write_text("two")
    project.write_list("entries: [{study: tiny, seeds: [0, 1]}]")
    for run in held.glob("seed-0/*/run.json"):
        os.utime(run, (0, 0))
    assert project.run() == 0
    assert project.run() == 0, "now that the second seed has another hash, the first is not done"
    assert project.ran() == [*ALL, "seed-0 0", "seed-0 1"]
    assert sorted(path.name for path in (held / "superseded").iterdir()) == ["seed-0-0-one", "seed-0-1-one"]
    hashes = {json.loads(file.read_text())["config_hash"] for file in held.glob("seed-*/*/run.json")}
    assert hashes == {"two"}


REAL = textwrap.dedent(
    """\
    # @package _global_
    study: {grid: {optimizer: [sgd, adam], seed: [0, 1]}}
    trainer: {max_epochs: 6, accelerator: cpu}
    save_every: 0
    """
)


@pytest.mark.parametrize(
    ("nice", "load", "told"),
    [
        (19, 5.0, "others keep this machine's 2 cores busy (load 5.0); at nice 19 the jobs get what these leave"),
        (7, 2.0, "others keep this machine's 2 cores busy (load 2.0); at nice 7"),
        (19, 1.9, ""),
        (0, 5.0, ""),
    ],
)
def test_a_queue_that_waits_for_a_busy_machine_says_so(
    monkeypatch: pytest.MonkeyPatch, nice: int, load: float, told: str
) -> None:
    monkeypatch.setattr("os.getloadavg", lambda: (load, 0.0, 0.0))
    said = busy(nice, cores=2)
    assert said.startswith(told)
    assert bool(said) == bool(told)


@pytest.mark.slow
def test_trainings_whose_queue_is_killed_three_times_end_with_the_same_numbers(
    tmp_path: Path, data_dir: Path, wait_until: Callable[..., None]
) -> None:
    source = Path(__file__).parents[2]
    found = []
    for name, kills in (("whole", 0), ("killed", 3)):
        root = tmp_path / name
        shutil.copytree(source / "conf", root / "conf")
        (root / "src").mkdir()
        for program in ("train.py", "results.py"):
            shutil.copy(source / "src" / program, root / "src" / program)
        for package in ("atelier", "hydra_plugins"):
            (root / "src" / package).symlink_to(source / "src" / package)
        (root / "conf" / "study" / "tiny.yaml").write_text(REAL)
        (root / "conf" / "results.yaml").write_text("entries: [{study: tiny, seeds: [0, 1]}]")
        variables = {**os.environ, "DATA_DIR": str(data_dir), "LOG_DIR": str(root / "logs")}
        command = [sys.executable, str(root / "src" / "results.py"), "run", "--nice=0"]
        for kill in range(kills + 1):
            queue = subprocess.Popen(
                command, env=variables, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
            )
            if kill < kills:  # when that many jobs have begun, it and its sweep
                runs = root / "logs" / "results" / "tiny"
                wait_until(lambda count=kill, at=runs: len(list(at.glob("*/*/checkpoints/last.ckpt"))) > count, queue)
                for process in (*children(queue.pid), queue.pid):
                    os.kill(process, signal.SIGKILL)
                queue.communicate()
            else:
                out, _ = queue.communicate()
                assert queue.returncode == 0, out
                assert "### tiny" in (root / "docs" / "results.md").read_text(), "it ends with the export"
        runs = root / "logs" / "results" / "tiny"
        metrics = {str(file.relative_to(runs)): file.read_text() for file in runs.glob("*/*/metrics.csv")}
        assert len(metrics) == 4
        found.append(metrics)
    assert found[0] == found[1]
