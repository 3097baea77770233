"""The W&B logger, offline: what it wrote is read back from W&B's own file."""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import wandb
import yaml
from PIL import Image

from atelier.errors import InputError
from atelier.loggers.labels import how_to_send
from atelier.loggers.wandb import ID_FILE, Wandb

Reader = Callable[[Path], Any]
SWEPT = ["optimizer", "optimizer.lr"]
SUMMARY = {"best": 0.125, "best_epoch": 1, "test/loss": 0.5}

pytestmark = pytest.mark.slow  # each reads its file back through a process of W&B's


@pytest.fixture(autouse=True)
def _offline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANDB_MODE", "offline")


@pytest.fixture
def job(tmp_path: Path) -> Callable[..., Path]:
    """Makes the folder of one job of a sweep over two keys, as its run writes it."""

    def make(number: int = 0, optimizer: str = "sgd") -> Path:
        sweep = tmp_path / "clock_angles" / "a_stamp"
        folder = sweep / str(number)
        (folder / "figures").mkdir(parents=True)
        config = {
            "seed": number,
            "optimizer": {"lr": 0.25},
            "sweep": {"resume": None, "folder": str(sweep), "swept": SWEPT},
        }
        (folder / "config.yaml").write_text(yaml.safe_dump(config))
        overrides = [f"optimizer={optimizer}", "optimizer.lr=0.25", f"seed={number}"]
        run = {"experiment": "clock_angles", "config_hash": "c0ffee", "overrides": overrides}
        (folder / "run.json").write_text(json.dumps(run))
        Image.new("L", (8, 8), 128).save(folder / "figures" / "training_pictures.png")
        return folder

    return make


def log(folder: Path, steps: range = range(10, 40, 10), exit_status: int = 0, **options: Any) -> Wandb:
    logger = Wandb(str(folder), project="atelier-tests", **options)
    for epoch, step in enumerate(steps):
        logger.log_metrics({"val/loss": 1.0 / step, "epoch": epoch}, step)
    logger.finish(exit_status, SUMMARY)
    return logger


# ---------------------------------------------------------------------- what is recorded


def test_a_job_has_its_sweeps_group_its_setting_as_job_type_and_a_tag_for_each_swept_key(
    job: Callable[..., Path],
    recorded_in: Reader,
) -> None:
    folder = job(1)
    log(folder, tags=["mine"])
    run = recorded_in(folder).run
    assert run["project"] == "atelier-tests"
    assert run["run_group"] == "clock_angles/a_stamp"
    assert run["job_type"] == "optimizer=sgd optimizer.lr=0.25 (c0ffee)"
    assert run["display_name"] == "optimizer=sgd optimizer.lr=0.25 seed=1"
    assert sorted(run["tags"]) == ["mine", "optimizer.lr=0.25", "optimizer=sgd"]
    assert run["config"]["update"]["optimizer"] == {"lr": 0.25}
    assert run["config"]["update"]["config_hash"] == "c0ffee"


def test_a_single_run_has_its_folders_name_and_the_group_that_is_asked_for(single: Path, recorded_in: Reader) -> None:
    log(single, group="my group")
    run = recorded_in(single).run
    assert (run["display_name"], run["run_group"]) == ("clock_angles/another_stamp", "my group")
    assert run["job_type"] == "clock_angles (c0ffee)"  # as its repeats


def test_history_has_a_row_per_step_and_the_figures_with_the_last(
    job: Callable[..., Path], recorded_in: Reader
) -> None:
    folder = job()
    log(folder)
    history = recorded_in(folder).history
    assert [row["_step"] for row in history] == [10, 20, 30]
    assert [row["val/loss"] for row in history] == pytest.approx([0.1, 0.05, 1 / 30])
    assert [row["epoch"] for row in history] == [0, 1, 2]
    assert [row.get("figures/training_pictures._type") for row in history] == [None, None, "image-file"]


def test_what_is_logged_in_one_step_is_one_row(single: Path, recorded_in: Reader) -> None:
    logger = Wandb(str(single), project="atelier-tests")
    logger.log_metrics({"val/loss": 1.0}, 10)
    logger.log_metrics({"train/loss": 2.0}, 10)
    logger.finish(0, {})
    (row,) = recorded_in(single).history
    assert (row["val/loss"], row["train/loss"]) == (1.0, 2.0)


@pytest.mark.parametrize("exit_status", [0, 1, 143])
def test_the_summary_holds_the_best_and_the_exit_status_is_the_runs(
    single: Path, exit_status: int, recorded_in: Reader
) -> None:
    log(single, exit_status=exit_status)
    recorded = recorded_in(single)
    assert SUMMARY.items() <= recorded.summary.items()
    assert recorded.exit_status == exit_status


def test_jobs_in_one_process_are_runs_of_their_own(job: Callable[..., Path], recorded_in: Reader) -> None:
    folders = [job(0), job(1, "adam")]
    for folder in folders:
        log(folder)
    runs = [recorded_in(folder).run for folder in folders]
    assert len({run["run_id"] for run in runs}) == 2
    assert len({run["run_group"] for run in runs}) == 1
    assert [run["job_type"].split()[0] for run in runs] == ["optimizer=sgd", "optimizer=adam"]


def test_a_run_that_an_earlier_job_left_open_is_not_gone_on_with(job: Callable[..., Path], recorded_in: Reader) -> None:
    folders = [job(0), job(1)]
    Wandb(str(folders[0]), project="atelier-tests").log_metrics({"val/loss": 1.0}, 1)  # and never finished
    log(folders[1])
    assert recorded_in(folders[0]).run["run_id"] != recorded_in(folders[1]).run["run_id"]
    assert len(recorded_in(folders[0]).history) == 1


def test_it_says_how_to_send_what_stayed_offline(
    job: Callable[..., Path], capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    folder = job()
    assert how_to_send(folder) is None
    log(folder)
    assert capsys.readouterr().out == f"W&B: the run stays offline. To send it: {how_to_send(folder)}\n"
    assert how_to_send(folder) == f"wandb sync {folder}/wandb/offline-run-*"
    assert how_to_send(folder.parent) == f"wandb sync {folder.parent}/*/wandb/offline-run-*"


# ---------------------------------------------------------------------- a resumed run


def test_a_resumed_run_goes_on_under_its_id_and_its_one_file_has_the_whole_history(
    single: Path, recorded_in: Reader
) -> None:
    log(single, range(10, 40, 10))
    first = recorded_in(single).run["run_id"]
    # Step 30 was after the last checkpoint: the resumed run forgets it and does it again.
    (single / "metrics.csv").write_text("epoch,step,val/loss\n0,10,0.1\n1,20,0.05\n")
    logger = Wandb(str(single), project="atelier-tests")
    logger.log_metrics({"val/loss": 0.03, "epoch": 2}, 30)
    logger.log_metrics({"val/loss": 0.02, "epoch": 3}, 40)
    logger.finish(0, SUMMARY)
    recorded = recorded_in(single)
    assert recorded.run["run_id"] == first == (single / ID_FILE).read_text()
    assert [row["_step"] for row in recorded.history] == [10, 20, 30, 40]
    assert [row["val/loss"] for row in recorded.history] == [0.1, 0.05, 0.03, 0.02]


def test_a_run_that_began_without_wandb_has_its_whole_history(single: Path, recorded_in: Reader) -> None:
    (single / "metrics.csv").write_text("epoch,step,val/loss\n0,10,0.1\n1,20,0.05\n")
    log(single, range(30, 50, 10))
    recorded = recorded_in(single)
    assert [row["_step"] for row in recorded.history] == [10, 20, 30, 40]
    assert [row["val/loss"] for row in recorded.history] == pytest.approx([0.1, 0.05, 1 / 30, 1 / 40])


def test_a_run_that_is_resumed_with_wandb_disabled_keeps_what_waits_to_be_sent(
    single: Path, monkeypatch: Any, recorded_in: Reader
) -> None:
    log(single)
    monkeypatch.setenv("WANDB_MODE", "disabled")
    log(single, range(40, 60, 10))
    assert [row["_step"] for row in recorded_in(single).history] == [10, 20, 30]


# ---------------------------------------------------------------------- when W&B fails


def fail(*args: object, **kwargs: object) -> None:
    raise wandb.errors.CommError("the server is on fire")


def test_a_failing_start_warns_once_and_does_not_end_the_training(single: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr(wandb, "init", fail)
    logger = Wandb(str(single), project="atelier-tests")
    with pytest.warns(UserWarning, match="the server is on fire") as warned:
        logger.log_metrics({"val/loss": 1.0}, 0)
    assert len(warned) == 1
    logger.log_metrics({"val/loss": 0.5}, 1)
    logger.finish(0, SUMMARY)


def test_a_failing_log_warns_once_and_the_run_is_still_closed(
    single: Path, monkeypatch: Any, recorded_in: Reader
) -> None:
    logger = Wandb(str(single), project="atelier-tests")
    logger.log_metrics({"val/loss": 1.0}, 0)
    monkeypatch.setattr(logger.experiment, "log", fail)
    with pytest.warns(UserWarning, match="the server is on fire") as warned:
        logger.log_metrics({"val/loss": 0.5}, 1)
    assert len(warned) == 1
    logger.log_metrics({"val/loss": 0.25}, 2)
    logger.finish(1, SUMMARY)
    recorded = recorded_in(single)
    assert [row["val/loss"] for row in recorded.history] == [1.0]
    assert recorded.exit_status == 1


def test_a_picture_that_cannot_be_read_does_not_end_the_training(job: Callable[..., Path], recorded_in: Reader) -> None:
    folder = job()
    (folder / "figures" / "broken.png").write_bytes(b"no picture")
    with pytest.warns(UserWarning, match="W&B failed"):
        log(folder)
    recorded = recorded_in(folder)
    assert len(recorded.history) == 3
    assert SUMMARY.items() <= recorded.summary.items()
    assert recorded.exit_status == 0


def test_a_run_whose_server_is_out_of_reach_stays_offline(
    single: Path, monkeypatch: Any, capsys: pytest.CaptureFixture[str], recorded_in: Reader
) -> None:
    begin = wandb.init

    def unreachable(*args: Any, mode: str, **kwargs: Any) -> Any:
        return begin(*args, mode="offline", **kwargs) if mode == "offline" else fail()

    monkeypatch.setattr(wandb, "init", unreachable)
    monkeypatch.setenv("WANDB_MODE", "online")
    log(single)
    assert len(recorded_in(single).history) == 3
    said = capsys.readouterr().out
    assert "stays offline since W&B cannot be reached (the server is on fire)" in said
    assert "wandb sync" in said


def test_without_a_key_a_run_stays_offline_and_says_why(
    single: Path, monkeypatch: Any, capsys: pytest.CaptureFixture[str], recorded_in: Reader
) -> None:
    monkeypatch.delenv("WANDB_MODE")
    monkeypatch.setattr(wandb, "login", lambda **options: False)
    log(single)
    assert len(recorded_in(single).history) == 3
    assert capsys.readouterr().out.count("stays offline since there is no API key. To send it: wandb sync") == 1


def test_a_missing_package_is_told(single: Path, monkeypatch: Any) -> None:
    monkeypatch.setitem(sys.modules, "wandb", None)
    with pytest.raises(InputError, match="logger=wandb needs the package wandb"):
        Wandb(str(single), project="atelier-tests").log_metrics({"val/loss": 1.0}, 0)
