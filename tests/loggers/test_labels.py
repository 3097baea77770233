"""What runs are called in W&B."""

import json
from pathlib import Path

import pytest
import wandb
import yaml

from atelier.loggers.labels import NAME_LENGTH, TAG_LENGTH, TYPE_LENGTH, Labels, read_labels
from atelier.loggers.wandb import Wandb


def labels(folder: Path, sweep: dict | None, overrides: list[str], known: str = "c0ffee") -> Labels:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.yaml").write_text(yaml.safe_dump({"seed": 0, "sweep": sweep}))
    run = {"experiment": "clock_angles", "config_hash": known, "overrides": overrides}
    (folder / "run.json").write_text(json.dumps(run))
    return read_labels(folder)


def sweep(*swept: str, folder: str = "logs/sweeps/leiden_mlp_optimizers/a_stamp") -> dict:
    return {"resume": None, "folder": folder, "swept": list(swept)}


def test_a_single_run_has_its_folders_name_its_setting_and_no_group(tmp_path: Path) -> None:
    found = labels(tmp_path / "clock_angles" / "a_stamp", {"folder": None, "swept": []}, ["optimizer=sgd"])
    assert found == Labels("clock_angles/a_stamp", None, "clock_angles (c0ffee)", "c0ffee", ())


@pytest.mark.parametrize("of", [{"folder": None, "swept": []}, sweep("optimizer.lr"), sweep()], ids=str)
def test_runs_share_what_their_setting_is_called_exactly_where_they_share_its_hash(tmp_path: Path, of: dict) -> None:
    """A job that went on for more epochs is of another setting, with the same swept values."""
    first, repeat, other = (
        labels(tmp_path / "clock_angles" / stamp, of, ["optimizer.lr=0.1"], known).setting
        for stamp, known in (("a", "c0ffee"), ("b", "c0ffee"), ("c", "decade"))
    )
    assert first == repeat != other


def test_a_configuration_from_before_there_were_sweeps_is_a_single_runs(tmp_path: Path) -> None:
    assert labels(tmp_path / "clock_angles" / "a_stamp", None, []).name == "clock_angles/a_stamp"


def test_a_job_has_its_sweeps_name_its_setting_and_a_tag_for_each_swept_key(tmp_path: Path) -> None:
    overrides = ["study=leiden_mlp_optimizers", "optimizer.lr=0.01", "optimizer=sgd", "seed=0", "+trainer.x=1"]
    found = labels(tmp_path, sweep("optimizer", "optimizer.lr"), overrides)
    assert found.group == "leiden_mlp_optimizers/a_stamp"
    assert found.setting == "optimizer=sgd optimizer.lr=0.01 (c0ffee)"  # in the grid's order, not the command line's
    assert found.name == "optimizer=sgd optimizer.lr=0.01 seed=0"
    assert found.tags == ("optimizer=sgd", "optimizer.lr=0.01")


def test_a_key_that_a_job_leaves_alone_is_left_out(tmp_path: Path) -> None:
    assert labels(tmp_path, sweep("penalty", "optimizer"), ["optimizer=sgd"]).setting == "optimizer=sgd (c0ffee)"


def test_an_added_key_is_called_by_its_name(tmp_path: Path) -> None:
    found = labels(tmp_path, sweep("+task.smoothing"), ["+task.smoothing=0.1"])
    assert found.setting == "task.smoothing=0.1 (c0ffee)"


def test_a_value_with_an_equals_sign_stays_whole(tmp_path: Path) -> None:
    assert labels(tmp_path, sweep("callbacks"), ["callbacks={a=b}"]).setting == "callbacks={a=b} (c0ffee)"


def test_a_sweep_over_seeds_alone_is_one_setting(tmp_path: Path) -> None:
    found = labels(tmp_path, sweep(), ["seed=0"])
    assert (found.setting, found.name) == ("leiden_mlp_optimizers (c0ffee)", "leiden_mlp_optimizers seed=0")


@pytest.mark.parametrize("length", [1, 200])
def test_a_tag_is_no_longer_than_wandb_allows(tmp_path: Path, length: int) -> None:
    found = labels(tmp_path, sweep("network.hidden"), [f"network.hidden={'7' * length}"])
    (tag,) = found.tags
    assert tag == f"network.hidden={'7' * length}"[:TAG_LENGTH]


@pytest.mark.parametrize("keys", [1, 2, 9])
def test_a_job_type_and_a_name_are_no_longer_than_wandb_allows_and_tell_runs_apart(tmp_path: Path, keys: int) -> None:
    """With longer ones W&B refuses a run, also an offline one that is sent later (wandb/wandb#6402)."""
    swept = [f"network.sizes_{number}" for number in range(keys)]
    typed = [f"{key}={'7' * (200 // keys)}" for key in swept]
    found = labels(tmp_path, sweep(*swept), typed)
    assert len(found.setting) == TYPE_LENGTH == 64
    assert len(found.name) == NAME_LENGTH == 128
    assert found.setting.startswith("network.sizes_0=777")
    assert found.setting.endswith(" (c0ffee)")
    assert found.name.endswith(" seed=0")


def test_a_long_experiment_is_cut_in_the_job_type(tmp_path: Path) -> None:
    folder = tmp_path / "clock_angles"
    labels(folder, None, [])
    (folder / "run.json").write_text((folder / "run.json").read_text().replace("clock_angles", "a" * 100))
    assert read_labels(folder).setting == "a" * 55 + " (c0ffee)"


def test_typed_tags_are_cut_alike_and_an_empty_one_is_left_out(tmp_path: Path) -> None:
    tags = Wandb(str(tmp_path), "atelier-tests", tags=["mine", "", "7" * 200]).tags
    assert wandb.Settings(run_tags=tags).run_tags == ("mine", "7" * TAG_LENGTH)


def test_a_single_run_in_a_folder_of_a_long_name_is_told_by_the_end_of_it(tmp_path: Path) -> None:
    folder = tmp_path / ("e" * 90) / ("7" * 90 + "_a_stamp")
    found = labels(folder, None, []).name
    assert len(found) == NAME_LENGTH
    assert found.endswith("7_a_stamp")
