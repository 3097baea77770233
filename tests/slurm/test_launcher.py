"""hydra/launcher=slurm as a user runs it, on a real Slurm: make test-slurm."""

import csv
import json
import signal
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.slurm
Run = Callable[..., Any]
Process = subprocess.Popen[str]
SLURM = "hydra/launcher=slurm"
SWEPT = "task.metric=val/loss,val/common_sense_error,val/nothing,val/median_error"  # nothing logs val/nothing
HELD = "0@7"  # where the job of `begun` waits
TIMES = ("folder", "seconds.", "steps_per_second", "peak_memory_mb", "pid")


@pytest.fixture(scope="session")
def fast(tiny: list[str]) -> list[str]:
    """Overrides of a training of a second."""
    return [*tiny, "callbacks=none", "trainer.limit_train_batches=5", "save_every=0"]


@pytest.fixture(scope="session")
def undisturbed(run_verb: Run, fast: list[str]) -> Any:
    """The run of job 0 of `begun`, here and alone."""
    return run_verb("train", *fast, "seed=1")


# ---------------------------------------------------------------------- what lies in a sweep's folder


def folder(logs: Path) -> Path:
    (found,) = logs.glob("sweeps/*/*/")
    return found


def manifest(logs: Path, number: int = 0) -> dict[str, Any]:
    path = folder(logs) / str(number) / "run.json"
    return json.loads(path.read_text()) if path.exists() else {}


def names(logs: Path) -> list[str]:
    """What Slurm calls the jobs of a sweep, in the order in which they were submitted."""
    return list(json.loads((folder(logs) / "sweep.json").read_text())["slurm"])


# ---------------------------------------------------------------------- four jobs, one of which fails


@dataclass
class Watched:
    code: int
    out: str
    err: str
    logs: Path
    running: list[int]  # how many jobs ran at once, each time that it was looked


@pytest.fixture(scope="module")
def swept(
    start_verb: Run, slurm: Run, fast: list[str], holding: Any, wait_until: Run, ended: Run, tmp_path_factory: Any
) -> Watched:
    """A sweep on the cluster of two nodes, that may use one at a time. Tests change nothing in it.

    Each job that trains waits until Slurm has thought about the others, and it was seen how many run.
    """
    logs, places, running = tmp_path_factory.mktemp("logs"), ["0@3", "1@3", "3@3"], []

    def queue() -> list[str]:
        return slurm("squeue", "--noheader", "--array", "--format=%T %r").splitlines()

    def thought_about() -> bool:
        return all(line.endswith(" JobArrayTaskLimit") for line in queue() if line.startswith("PENDING"))

    with holding() as hold:
        limited = ["hydra.launcher.jobs=1", *fast, SWEPT]
        process = start_verb("train", "-m", SLURM, *limited, logs=logs, environment=hold.at(*places))
        for place in places:
            wait_until(partial(hold.reached, place), process)
            wait_until(thought_about, process)
            running.append(sum(line.startswith("RUNNING") for line in queue()))
            hold.let_go(place)
        return Watched(*ended(process), logs, running)


@pytest.fixture(scope="module")
def swept_here(run_verb: Run, fast: list[str]) -> Any:
    """The same with the local launcher."""
    return run_verb("train", "-m", *fast, SWEPT)


def test_one_failing_job_takes_nothing_along(swept: Watched) -> None:
    assert swept.code == 1, swept.err
    states = [manifest(swept.logs, number)["status"] for number in range(4)]
    assert states == ["completed", "completed", "failed", "completed"]
    last = swept.err.splitlines()
    assert last[0] == "1 of 4 jobs failed:"
    assert last[1].startswith("  job 2, task.metric=val/nothing: InputError: task.metric=val/nothing: no such metric; ")
    assert last[2].strip() == str(folder(swept.logs) / "2" / "run.log")
    assert last[3].endswith(f"-m {SLURM} hydra.launcher.jobs=1 sweep.resume={folder(swept.logs)}")


def test_the_limit_is_never_exceeded(swept: Watched) -> None:
    assert swept.running == [1, 1, 1]
    assert len({name.split("_")[0] for name in names(swept.logs)}) == 1, "one array"


def test_each_job_has_one_run(swept: Watched) -> None:
    assert len(list(swept.logs.rglob("run.json"))) == 4
    assert not (swept.logs / "runs").exists()
    inside = {path.name for path in folder(swept.logs).iterdir() if path.is_dir()}
    assert inside == {"0", "1", "2", "3", "figures", "slurm"}


def test_a_job_has_all_its_output_in_its_log(swept: Watched) -> None:
    assert "Traceback" in (folder(swept.logs) / "2" / "run.log").read_text()
    assert "Everything is in" in (folder(swept.logs) / "0" / "run.log").read_text()


def rows(logs: Path) -> list[dict[str, str]]:
    """The summary's rows, without what differs from time to time."""
    found = csv.DictReader((folder(logs) / "summary.csv").read_text().splitlines())
    return [{key: value for key, value in row.items() if not key.startswith(TIMES)} for row in found]


def table(logs: Path) -> list[list[str]]:
    """The cells of the summary's table, without the column of the time."""
    lines = [
        line.strip("|").split("|") for line in (folder(logs) / "summary.md").read_text().splitlines() if "|" in line
    ]
    time = next(number for number, title in enumerate(lines[0]) if "training time" in title)
    return [[cell.strip() for number, cell in enumerate(line) if number != time] for line in lines]


def test_the_table_is_that_of_the_local_launcher(swept: Watched, swept_here: Any) -> None:
    assert swept_here.code == 1
    assert rows(swept.logs) == rows(swept_here.logs)
    assert table(swept.logs) == table(swept_here.logs)
    assert len(table(swept.logs)) == 2 + 4


# ---------------------------------------------------------------------- disturbed


@pytest.fixture
def begun(start_verb: Run, hold: Any, wait_until: Run, fast: list[str], tmp_path: Path) -> Process:
    """The sweep of one job, in `tmp_path`, that has done 7 of its 10 steps and waits."""
    process: Process = start_verb("train", "-m", SLURM, *fast, "seed=1", logs=tmp_path, environment=hold.at(HELD))
    wait_until(lambda: hold.reached(HELD), process)
    return process


def test_a_preempted_job_comes_back_and_ends_as_if_nothing_had_been(
    begun: Process, ended: Run, slurm: Run, undisturbed: Any, tmp_path: Path
) -> None:
    slurm("sbatch", "--partition=high", "--nodes=2", "--output=/dev/null", "--wrap=sleep 1")
    code, out, err = ended(begun)
    assert (code, err) == (0, "")
    assert "job 0 is in Slurm's queue again and will go on: seed=1" in out.splitlines()
    (name,) = names(tmp_path)
    assert " Restarts=1 " in slurm("scontrol", "show", "job", name)
    assert (folder(tmp_path) / "0" / "metrics.csv").read_text() == undisturbed.metrics
    assert manifest(tmp_path)["test"] == undisturbed.manifest["test"]


def test_what_a_user_cancels_is_interrupted_and_goes_on_later(
    begun: Process, ended: Run, start_verb: Run, slurm: Run, undisturbed: Any, tmp_path: Path
) -> None:
    slurm("scancel", *names(tmp_path))
    code, _, err = ended(begun)
    assert code == 1
    assert manifest(tmp_path)["status"] == "interrupted"
    assert err.splitlines() == [f"Go on with: python src/train.py -m {SLURM} sweep.resume={folder(tmp_path)}"]
    assert ended(start_verb("train", "-m", SLURM, f"sweep.resume={folder(tmp_path)}", logs=tmp_path))[0] == 0
    assert (folder(tmp_path) / "0" / "metrics.csv").read_text() == undisturbed.metrics
    assert len(names(tmp_path)) == 2


def test_jobs_outlive_their_sweep_and_are_not_started_twice(
    begun: Process, ended: Run, hold: Any, start_verb: Run, undisturbed: Any, tmp_path: Path
) -> None:
    begun.send_signal(signal.SIGKILL)
    begun.wait()
    code, _, err = ended(start_verb("train", "-m", "sweep.resume=latest", logs=tmp_path))
    assert code == 2
    assert err.startswith(f"jobs of {folder(tmp_path)} are still in Slurm's queue: 0\n")
    again = start_verb("train", "-m", SLURM, "sweep.resume=latest", logs=tmp_path, python=())
    assert again.stdout
    told = f"job 0 is in Slurm's queue already ({names(tmp_path)[0]}): seed=1\n"
    assert told in iter(again.stdout.readline, ""), "until the end of its output"
    hold.let_go(HELD)
    code, _, err = ended(again)
    assert (code, err) == (0, "")
    assert len(names(tmp_path)) == 1
    assert (folder(tmp_path) / "0" / "metrics.csv").read_text() == undisturbed.metrics


def test_ctrl_c_lets_the_job_save(begun: Process, ended: Run, slurm: Run, tmp_path: Path) -> None:
    begun.send_signal(signal.SIGINT)
    code, _, err = ended(begun)
    assert code == 130
    assert manifest(tmp_path)["status"] == "interrupted"
    assert err.splitlines() == [f"Go on with: python src/train.py -m {SLURM} sweep.resume={folder(tmp_path)}"]
    assert slurm("squeue", "--noheader") == "", "nothing comes back that was cancelled"


# ---------------------------------------------------------------------- two nodes


def test_two_nodes_train_what_two_processes_here_train(
    start_verb: Run, run_process: Run, ended: Run, fast: list[str], tmp_path: Path
) -> None:
    any_trainer = [override for override in fast if override != "trainer=cpu"]
    two_nodes = ["trainer=ddp", "trainer.accelerator=cpu", "trainer.num_nodes=2"]
    process = start_verb("train", "-m", SLURM, *any_trainer, *two_nodes, logs=tmp_path)
    here = run_process("train", *any_trainer, "trainer=ddp_cpu")
    code, _, err = ended(process)
    assert (code, err) == (0, "")
    assert manifest(tmp_path)["test"] == here.manifest["test"]
    assert manifest(tmp_path)["steps"] == here.manifest["steps"] == 10
    assert len(list(tmp_path.rglob("run.json"))) == 1
    assert len(list((folder(tmp_path) / "slurm").glob("*_log.out"))) == 2, "a process on each node"


# ---------------------------------------------------------------------- what Slurm refuses


def test_what_sbatch_says_is_told(start_verb: Run, ended: Run, fast: list[str], tmp_path: Path) -> None:
    process = start_verb("train", "-m", SLURM, "hydra.launcher.partition=none", *fast, logs=tmp_path)
    code, _, err = ended(process)
    assert code == 2
    assert err.startswith("Slurm refuses the jobs: sbatch: error: invalid partition specified: none\n")
    assert "Traceback" not in err
