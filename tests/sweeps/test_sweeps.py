"""Sweeps as a user runs them: `python src/train.py -m …`, with real trainings of a second."""

import csv
import json
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Run = Callable[..., Any]
Process = Any
SWEPT = ["optimizer=sgd,adam", "seed=0,1"]


@pytest.fixture(scope="module")
def fast(tiny: list[str]) -> list[str]:
    """Overrides of a training of a second."""
    return [*tiny, "callbacks=none", "trainer.limit_train_batches=5", "save_every=0"]


@pytest.fixture(scope="module")
def swept(run_verb: Run, fast: list[str]) -> Any:
    """A finished sweep over two optimizers and two seeds. Tests read it and change nothing in it."""
    return run_verb("train", "-m", *fast, *SWEPT)


def folder(logs: Path) -> Path:
    (found,) = logs.glob("sweeps/*/*/")
    return found


def manifests(logs: Path) -> dict[int, dict[str, Any]]:
    paths = folder(logs).glob("*/run.json")
    return {int(path.parent.name): json.loads(path.read_text()) for path in sorted(paths)}


def scores(logs: Path) -> dict[str, str]:
    """The objective and the test error of every run in the summary, by its overrides."""
    rows = csv.DictReader((folder(logs) / "summary.csv").read_text().splitlines())
    return {
        f"{row['optimizer']} {row['seed']}": f"{row['objective.best']} {row['test.common_sense_error']}" for row in rows
    }


def test_each_job_is_a_completed_run_of_its_own(swept: Any) -> None:
    assert (swept.code, swept.err) == (0, "")
    runs = manifests(swept.logs)
    assert [run["status"] for run in runs.values()] == ["completed"] * 4
    assert [run["seed"] for run in runs.values()] == [0, 1, 0, 1]
    assert all((folder(swept.logs) / str(n) / "checkpoints" / "best.ckpt").is_file() for n in range(4))


def test_the_sweep_says_what_it_is(swept: Any) -> None:
    sweep = json.loads((folder(swept.logs) / "sweep.json").read_text())
    assert (sweep["status"], sweep["experiment"], sweep["study"], sweep["swept"]) == (
        "completed",
        "default",
        None,
        ["optimizer"],
    )
    assert [job["values"]["optimizer"] for job in sweep["jobs"]] == ["sgd", "sgd", "adam", "adam"]


def test_runs_of_one_setting_share_their_hash(swept: Any) -> None:
    hashes = [run["config_hash"] for run in manifests(swept.logs).values()]
    assert hashes[0] == hashes[1] != hashes[2] == hashes[3]
    planned = [job["config_hash"] for job in json.loads((folder(swept.logs) / "sweep.json").read_text())["jobs"]]
    assert planned == hashes, "the preflight finds the hash that the run has"


def test_a_job_is_what_the_same_command_by_hand_gives(run_verb: Run, fast: list[str], swept: Any) -> None:
    alone = run_verb("train", *fast, "optimizer=adam", "seed=1")
    job = manifests(swept.logs)[3]
    assert job["test"] == alone.manifest["test"]
    assert job["config_hash"] == alone.manifest["config_hash"]
    typed = [dict(one.split("=", 1) for one in run["overrides"]) for run in (job, alone.manifest)]
    assert typed[0] == typed[1], "of a key that is given twice, the last counts"


def test_the_results_are_brought_together(swept: Any) -> None:
    for name in ("summary.csv", "summary.md", "report.html"):
        assert (folder(swept.logs) / name).stat().st_size > 0
    assert len(scores(swept.logs)) == 4
    for name in ("sgd", "adam"):
        assert name in swept.out


def test_nothing_else_is_left_behind(swept: Any) -> None:
    assert not (swept.logs / "runs").exists()
    assert {path.name for path in folder(swept.logs).iterdir() if path.is_dir()} == {"0", "1", "2", "3", "figures"}


# ---------------------------------------------------------------------- before the first job


def refused(outcome: Any) -> list[str]:
    assert outcome.code == 2, outcome.err
    assert "Traceback" not in outcome.err
    assert not list(outcome.logs.rglob("run.json"))
    assert not list(outcome.logs.rglob("sweep.json"))
    return outcome.err.splitlines()


def test_every_mistake_is_told_before_anything_runs(run_verb: Run, fast: list[str]) -> None:
    lines = refused(run_verb("train", "-m", *fast, "optimizer=sgd,adamm", "seed=0,x"))
    assert lines[0] == "3 of 4 jobs cannot run, so none was started:"
    told = "\n".join(lines)
    assert "jobs 2, 3: optimizer=adamm: no 'adamm'; choose from: adam" in told
    assert f"job 1: seed=x: give a whole number from 0 to below {2**64}" in told
    lines = refused(run_verb("train", "-m", *fast, "note='${oc.env:HOME}'", "seed=0,1"))  # not when it is resumed
    assert "jobs 0, 1: -m: \"note='${oc.env:HOME}'\" is not composed" in lines[1]


def test_a_device_that_is_not_here_is_told(run_verb: Run, fast: list[str]) -> None:
    lines = refused(run_verb("train", "-m", *fast, "trainer.accelerator=cpu,mps"))
    assert "job 1: trainer.accelerator=mps: this machine has" in lines[1]


def test_data_that_is_not_there_is_told(run_verb: Run) -> None:
    arrays = ["data.images=/nowhere/images.npy", "data.labels=/nowhere/labels.npy"]
    missing = ["experiment=clock_angles", "data=clocks_npy", *arrays]
    lines = refused(run_verb("train", "-m", *missing, "seed=0,1"))
    assert lines[1].startswith("  jobs 0, 1: data.images=/nowhere/images.npy: there is no such file")


@pytest.mark.parametrize(
    ("override", "key", "words"),
    [
        ("hydra.launcher.jobs=0", "hydra.launcher.jobs=0", ["whole number", "1"]),
        ("hydra.launcher.jobs=many", "hydra.launcher.jobs=many", ["whole number", "1", "null"]),
        ("hydra.launcher.on_failure=cry", "hydra.launcher.on_failure=cry", ["continue, stop"]),
        ("+hydra.launcher.job=2", "hydra.launcher.job", ["jobs"]),
        ("hydra/launcher=basic", "hydra/launcher", ["local, slurm"]),
        ("budget=quick", "budget=quick", ["study", "experiment"]),
        ("sweep.resume=latest", "there is no sweep under ", []),
        ("sweep.resume=/nowhere", "/nowhere", ["sweep.json"]),
    ],
)
def test_a_wrong_setting_of_the_sweep_is_told(run_verb: Run, override: str, key: str, words: list[str]) -> None:
    (told, *_) = refused(run_verb("train", "-m", "seed=0,1", override))
    assert told.startswith(key)
    assert [word for word in words if word not in told] == []


@pytest.mark.parametrize(
    ("override", "key", "choice"),
    [
        ("study.figures=[{kind:pie}]", "study.figures[0].kind=pie", "bars, curves"),
        ("study.figures=[{kind:curves,split:val}]", "study.figures[0].split", "splits"),
        ("+study.figurs=[]", "study.figurs", "figures"),
        (
            "study.claims=[{says:x,where:y,checks:[{metric:val/loss,than_study:pairs_bset,above:0}]}]",
            "study.claims[0].checks[0].than_study=pairs_bset",
            "pairs_best",
        ),
    ],
)
def test_a_study_that_is_wrong_is_told_before_its_first_job(
    run_verb: Run, override: str, key: str, choice: str
) -> None:
    (told, *_) = refused(run_verb("train", "-m", "study=ee559_pairs_curves", override))
    assert told.startswith(f"{key}:")
    assert choice in told


def test_a_budget_is_only_for_sweeps(run_verb: Run) -> None:
    assert refused(run_verb("train", "budget=quick"))[0].startswith("budget=quick is for the sweep of a study")


# ---------------------------------------------------------------------- several processes


@pytest.mark.slow
def test_jobs_of_two_processes_with_one_that_fails(run_verb: Run, fast: list[str]) -> None:
    two = [override for override in fast if override != "trainer=cpu"]
    metrics = "task.metric=val/loss,val/nothing,val/common_sense_error"
    outcome = run_verb("train", "-m", *two, "trainer=ddp_cpu", "trainer.max_epochs=1", metrics)
    assert outcome.code == 1
    runs = manifests(outcome.logs)
    assert [run["status"] for run in runs.values()] == ["completed", "failed", "completed"]
    assert "val/nothing: no such metric" in runs[1]["error"]["message"]
    assert not (outcome.logs / "runs").exists(), "no process made a run of its own"
    assert len(list(outcome.logs.rglob("run.json"))) == 3
    assert runs[0]["steps"] == 5, "each process does its own half of the steps' pictures"
    last = outcome.err.splitlines()
    assert last[0] == "1 of 3 jobs failed:"
    assert last[1].startswith("  job 1, task.metric=val/nothing: InputError: ")
    assert last[2].strip() == str(folder(outcome.logs) / "1" / "run.log")


@pytest.mark.slow
def test_one_and_two_devices_in_one_sweep(run_verb: Run, fast: list[str]) -> None:
    two = [override for override in fast if override != "trainer=cpu"]
    outcome = run_verb("train", "-m", *two, "trainer=ddp_cpu", "trainer.max_epochs=1", "trainer.devices=1,2")
    assert (outcome.code, outcome.err) == (0, "")
    assert [run["status"] for run in manifests(outcome.logs).values()] == ["completed", "completed"]
    assert [run["steps"] for run in manifests(outcome.logs).values()] == [5, 5]
    assert "trainer.devices=2" in manifests(outcome.logs)[1]["overrides"]


# ---------------------------------------------------------------------- killed and resumed


@pytest.fixture
def held_sweep(start_verb: Run, hold: Any, wait_until: Run, fast: list[str], tmp_path: Path) -> Run:
    """`held_sweep("1@7")`: the sweep of `swept`, job after job, whose job 1 has done 7 of its 10 steps and waits."""

    def start(place: str, swept: list[str] = SWEPT, **options: Any) -> Process:
        one_by_one = [*fast, *swept, "hydra.launcher.jobs=1"]
        process = start_verb("train", "-m", *one_by_one, logs=tmp_path, environment=hold.at(place), **options)
        wait_until(lambda: hold.reached(place), process)
        return process

    return start


@pytest.mark.slow
def test_a_killed_job_does_not_end_the_sweep_and_is_done_again(
    held_sweep: Run, hold: Any, ended: Run, run_verb: Run, swept: Any, tmp_path: Path
) -> None:
    process = held_sweep("1@7", python=())
    os.kill(hold.reached("1@7"), signal.SIGKILL)
    code, out, err = ended(process)
    assert code == 1, out + err
    assert [run["status"] for run in manifests(tmp_path).values()] == ["completed", "failed", "completed", "completed"]
    assert manifests(tmp_path)[1]["error"] == {"type": "Killed", "message": "ended by SIGKILL (out of memory?)"}
    again = run_verb("train", "-m", "sweep.resume=latest", logs=tmp_path)
    assert (again.code, again.err) == (0, "")
    assert scores(tmp_path) == scores(swept.logs)


def test_a_killed_sweep_is_resumed_and_ends_with_the_same_table(
    held_sweep: Run, run_verb: Run, fast: list[str], swept: Any, tmp_path: Path
) -> None:
    process = held_sweep("1@7")
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    again = run_verb("train", "-m", *fast, *SWEPT, f"sweep.resume={folder(tmp_path)}", logs=tmp_path)
    assert (again.code, again.err) == (0, "")
    assert "3 of 4 jobs are to be done" in again.out
    assert scores(tmp_path) == scores(swept.logs)
    assert len(list(tmp_path.glob("sweeps/*/*"))) == 1


@pytest.mark.parametrize("place", ["0@7", pytest.param("0@start", marks=pytest.mark.slow)])
def test_ctrl_c_saves_and_says_how_to_go_on(
    held_sweep: Run, ended: Run, run_verb: Run, swept: Any, tmp_path: Path, place: str
) -> None:
    process = held_sweep(place, ["optimizer=sgd,adam", "seed=0"])
    process.send_signal(signal.SIGINT)
    code, _, err = ended(process)
    assert code == 130
    assert [run["status"] for run in manifests(tmp_path).values()] == ["interrupted"]
    command = next(line for line in err.splitlines() if line.startswith("Go on with: "))
    assert command == f"Go on with: python src/train.py -m hydra.launcher.jobs=1 sweep.resume={folder(tmp_path)}"
    again = run_verb("train", f"sweep.resume={folder(tmp_path)}", logs=tmp_path)  # -m is understood
    assert (again.code, again.err) == (0, "")
    wanted = scores(swept.logs)
    assert scores(tmp_path) == {one: wanted[one] for one in ("sgd 0", "adam 0")}
    assert json.loads((folder(tmp_path) / "sweep.json").read_text())["launcher"] == ["hydra.launcher.jobs=1"]
    starts = [line for line in again.out.splitlines() if " started" in line or " completed" in line]
    assert [line.split()[2].strip(":") for line in starts] == ["started", "completed"] * 2  # one at a time, as begun


def test_another_grid_is_not_resumed(run_verb: Run, fast: list[str], swept: Any) -> None:
    outcome = run_verb("train", "-m", *fast, "optimizer=sgd,adamw", "seed=0,1", "sweep.resume=latest", logs=swept.logs)
    assert outcome.code == 2
    lines = outcome.err.splitlines()
    assert lines[0].startswith("the grid is not that of ")
    assert lines[0].endswith(" alone, or leave it out and begin another sweep:")
    assert lines[1].startswith("2 jobs are gone: ")
    assert "optimizer=adam seed=0" in lines[1]
    assert "optimizer=adamw seed=0" in lines[2]


@pytest.mark.slow
def test_a_sweep_is_run_by_one_process_at_a_time(held_sweep: Run, ended: Run, run_verb: Run, tmp_path: Path) -> None:
    process = held_sweep("0@7")
    outcome = run_verb("train", "-m", "sweep.resume=latest", logs=tmp_path)
    assert outcome.code == 2
    assert outcome.err.strip().endswith("is being written by another process")
    process.send_signal(signal.SIGTERM)
    assert ended(process)[0] == 128 + signal.SIGTERM
