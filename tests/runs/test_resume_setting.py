"""Going on with a run is going on with its setting, wherever its data lies; a change that is typed makes it another."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import hydra
import pytest
import torch
import yaml
from omegaconf import OmegaConf

from atelier.compose.open import at_home, resumed_config
from atelier.compose.targets import plain
from atelier.errors import InputError
from atelier.runs.changes import differences
from atelier.runs.folder import RunFolder
from atelier.runs.keeper import Keeper
from atelier.runs.setting import setting_hash

Run = Callable[..., Any]
SHORT = [
    *("network.hidden=[4]", "trainer=cpu", "trainer.max_epochs=1", "trainer.limit_train_batches=2"),
    *("callbacks=none", "test=false"),
]
HERE = "/elsewhere/DATA_DIR"


def test_a_run_goes_on_under_another_data_dir_and_each_change_makes_another_setting(
    run_verb: Run, compose: Callable[..., Any], tmp_path: Path
) -> None:
    run = run_verb("train", *SHORT)
    seen = {run.manifest["config_hash"]}
    moved = {"DATA_DIR": str(tmp_path / "data")}
    for epochs in (2, 3):
        again = run_verb("train", f"resume={run.folder}", f"trainer.max_epochs={epochs}", environment=moved)
        assert again.code == 0, again.err
        assert run.manifest["epochs"] == epochs
        assert run.manifest["config_hash"] == setting_hash(compose(*SHORT, f"trainer.max_epochs={epochs}"))
        seen.add(run.manifest["config_hash"])
        told = [one for one in run.manifest["overrides"] if "max_epochs" in one]
        assert told == [f"trainer.max_epochs={epochs}"]
        assert yaml.safe_load((run.folder / "overrides.yaml").read_text()) == run.manifest["overrides"]
    assert len(seen) == 3


def test_a_run_keeps_the_number_of_devices_that_it_found(run_verb: Run, compose: Callable[..., Any]) -> None:
    run = run_verb("train", *SHORT, "trainer.devices=auto")
    assert yaml.safe_load((run.folder / "config.yaml").read_text())["trainer"]["devices"] == 1
    assert run.manifest["config_hash"] == setting_hash(compose(*SHORT))
    assert "trainer.devices=auto" in run.manifest["overrides"]


# ---------------------------------------------------------------------- composed anew


@pytest.fixture
def begun(compose: Callable[..., Any], tmp_path: Path) -> Callable[..., RunFolder]:
    """The folder of a run with these overrides that has just begun."""

    def make(*overrides: str, seed: int = 3) -> RunFolder:
        folder = RunFolder(tmp_path / "run")
        folder.path.mkdir()
        config = compose(*overrides, f"seed={seed}")
        folder.config.write_text(OmegaConf.to_yaml(config, resolve=True))
        manifest = {"overrides": [*overrides, f"seed={seed}"], "config_hash": setting_hash(config)}
        manifest |= {"epochs": 0, "steps": 0}
        folder.manifest.write_text(json.dumps(manifest))
        return folder

    return make


@pytest.mark.parametrize("experiment", ["dogs_vs_cats", "cats_vae"])
def test_other_folders_are_no_change_of_conf(
    begun: Callable[..., RunFolder], conf: Path, monkeypatch: pytest.MonkeyPatch, experiment: str
) -> None:
    folder = begun(f"experiment={experiment}", "trainer.max_epochs=1")
    for variable in ("DATA_DIR", "LOG_DIR"):
        monkeypatch.setenv(variable, f"/elsewhere/{variable}")
    with hydra.initialize_config_dir(str(conf), version_base="1.3"):
        config, changed = resumed_config(folder, ["resume=there", "data.eval_batch_size=7"], HERE)
        assert (config.data.images.split("/")[:3], config.seed) == (["", "elsewhere", "DATA_DIR"], 3)
        assert changed["config_hash"] == json.loads(folder.manifest.read_text())["config_hash"]
        config, changed = resumed_config(folder, ["resume=there"], HERE)
        assert config.data.images.startswith(HERE), "they may lie nowhere else"
        assert changed["config_hash"] == json.loads(folder.manifest.read_text())["config_hash"]
        _, changed = resumed_config(folder, ["resume=there", "trainer.max_epochs=2"], HERE)
        assert changed["config_hash"] != json.loads(folder.manifest.read_text())["config_hash"]
        assert changed["overrides"] == [f"experiment={experiment}", "seed=3", "trainer.max_epochs=2"]


@pytest.mark.parametrize("stored", [4, "auto"], ids=str)  # auto: from when that was kept as it was typed
def test_every_device_is_as_many_as_when_the_run_began(
    begun: Callable[..., RunFolder], conf: Path, stored: int | str
) -> None:
    folder = begun("trainer=ddp", f"trainer.devices={stored}")
    content = json.loads(folder.manifest.read_text())
    folder.manifest.write_text(json.dumps({**content, "overrides": ["trainer=ddp", "seed=3"]}))
    with hydra.initialize_config_dir(str(conf), version_base="1.3"):
        config, _ = resumed_config(folder, ["resume=there", "trainer.max_epochs=2"], HERE)
        assert config.trainer.devices == stored
        config, _ = resumed_config(folder, ["resume=there", "trainer.devices=2"], HERE)
        assert config.trainer.devices == 2


def test_a_place_that_was_typed_stays(begun: Callable[..., RunFolder], conf: Path, tmp_path: Path) -> None:
    folder = begun("experiment=dogs_vs_cats", f"paths.data={tmp_path}")
    with hydra.initialize_config_dir(str(conf), version_base="1.3"):
        config, _ = resumed_config(folder, ["resume=there"], HERE)
    assert config.data.images.startswith(str(tmp_path))


def test_another_conf_is_told_where_something_is_typed(begun: Callable[..., RunFolder], conf: Path) -> None:
    folder = begun("optimizer=sgd")
    content = json.loads(folder.manifest.read_text())
    folder.manifest.write_text(json.dumps({**content, "config_hash": "what conf/ gave then"}))
    with hydra.initialize_config_dir(str(conf), version_base="1.3"):
        assert resumed_config(folder, ["resume=there"], HERE)[1] == {}
        with pytest.raises(InputError, match=r"has changed since .*; resume it without trainer.max_epochs=2"):
            resumed_config(folder, ["resume=there", "trainer.max_epochs=2"], HERE)


def test_the_batches_of_a_test_can_change_where_only_a_test_is_done(
    begun: Callable[..., RunFolder], conf: Path
) -> None:
    folder = begun("train=false", "checkpoint=best.ckpt")
    with hydra.initialize_config_dir(str(conf), version_base="1.3"):
        config, _ = resumed_config(folder, ["resume=there", "data.batch_size=7"], HERE)
    assert (config.train, config.data.batch_size) == (False, 7)


@pytest.mark.parametrize("key", ["trainer.limit_train_batches", "trainer.val_check_interval"])
def test_one_batch_is_another_setting_than_all(begun: Callable[..., RunFolder], conf: Path, key: str) -> None:
    folder = begun()
    with hydra.initialize_config_dir(str(conf), version_base="1.3"):
        config, _ = resumed_config(folder, ["resume=there", f"{key}=1"], HERE)
    assert differences(plain(OmegaConf.load(folder.config)), plain(config)) == {key: (1.0, 1)}


def test_a_run_goes_on_with_a_key_that_conf_has_no_more(run_verb: Run) -> None:
    run = run_verb("train", *SHORT)
    config = run.folder / "config.yaml"
    config.write_text(f"{config.read_text()}gone: 1\n")
    again = run_verb("train", f"resume={run.folder}")
    assert (again.code, again.err) == (0, "")


def test_a_change_holds_although_its_first_process_saved_nothing(
    run_verb: Run, conf: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """run.json and config.yaml have it then, and last.ckpt does not; as for the further processes of a run."""
    run = run_verb("train", *SHORT, "optimizer.lr=0.01")

    def stop(*args: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Keeper, "on_train_epoch_start", stop)
        assert run_verb("train", f"resume={run.folder}", "trainer.max_epochs=2", "optimizer.lr=0.1").code != 0
    assert run.manifest["epochs"] == 1
    again = run_verb("train", f"resume={run.folder}")
    assert again.code == 0, again.err
    assert run.manifest["epochs"] == 2
    content = torch.load(run.folder / "checkpoints" / "last.ckpt", weights_only=True)
    assert content["optimizer_states"][0]["param_groups"][0]["lr"] == 0.1


@pytest.mark.parametrize("kept", [True, False])
def test_only_the_last_checkpoint_holds_the_optimizer_and_it_is_removed_if_asked(run_verb: Run, kept: bool) -> None:
    run = run_verb("train", *[one for one in SHORT if one != "test=false"], f"save_last={kept}")
    assert run.code == 0, run.err
    best, last = (run.folder / "checkpoints" / f"{name}.ckpt" for name in ("best", "last"))
    assert torch.load(best, weights_only=True)["optimizer_states"] == []
    assert last.exists() == kept
    assert run_verb("eval", f"run={run.folder}").code == 0
    if kept:
        assert torch.load(last, weights_only=True)["optimizer_states"]
    else:
        before = (run.folder / "run.json").read_bytes()
        message = run_verb("train", f"resume={run.folder}", "trainer.max_epochs=2").err
        assert f"{run.folder} is complete" in message
        assert "save_last=false" in message
        assert (run.folder / "run.json").read_bytes() == before


def test_a_run_that_fails_in_its_last_words_keeps_its_last_checkpoint(
    run_verb: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*args: Any) -> None:
        raise InputError("the terminal is gone")

    with monkeypatch.context() as patch:
        patch.setattr("atelier.runs.run.print_outcome", fail)
        run = run_verb("train", *SHORT, "save_last=false")
    assert run.manifest["status"] == "failed"
    assert (run.folder / "checkpoints" / "last.ckpt").exists()
    assert run_verb("train", f"resume={run.folder}").code == 0
    assert (run.manifest["status"], run.manifest["epochs"]) == ("completed", 1)
    assert not (run.folder / "checkpoints" / "last.ckpt").exists()


def test_a_run_that_only_tested_is_tested_again(run_verb: Run) -> None:
    trained = run_verb("train", *SHORT)
    best = trained.folder / "checkpoints" / "best.ckpt"
    tiny = [one for one in SHORT if one != "test=false"]
    run = run_verb("train", *tiny, "train=false", f"checkpoint={best}")
    tested = run.manifest["test"]
    assert tested
    again = run_verb("train", f"resume={run.folder}")
    assert again.code == 0, again.err
    assert run.manifest["test"] == tested


def test_a_run_without_a_best_checkpoint_keeps_its_last(run_verb: Run, tmp_path: Path) -> None:
    named = f"paths.run={tmp_path / 'logs' / 'runs' / 'mine' / 'named'}"
    run = run_verb("train", *SHORT, "save_last=false", "trainer.limit_val_batches=0", named, logs=tmp_path / "logs")
    assert run.code == 0, run.err
    assert named in run.manifest["overrides"], "as typed: who types it again with resume= changes nothing"
    assert not (run.folder / "checkpoints" / "best.ckpt").exists()
    assert (run.folder / "checkpoints" / "last.ckpt").exists()


@pytest.mark.parametrize("value", ["${oc.env:HOME}", "a ${optimizer.lr}", ["${seed}"]], ids=str)
def test_a_stored_configuration_reads_nothing_from_who_opens_it(
    begun: Callable[..., RunFolder], conf: Path, value: Any
) -> None:
    folder = begun("optimizer=sgd")
    content = yaml.safe_load(folder.config.read_text())
    content["experiment_name"] = {"first": value}
    folder.config.write_text(yaml.safe_dump(content))
    with (
        hydra.initialize_config_dir(str(conf), version_base="1.3"),
        pytest.raises(InputError, match=r"config.yaml: experiment_name.first="),
    ):
        resumed_config(folder, ["resume=there"], HERE)


def test_where_a_run_began_stays_and_where_it_goes_on_is_told_once(
    run_verb: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = run_verb("train", *SHORT)
    began = {key: run.manifest[key] for key in ("device", "precision", "versions")}
    assert "resumed" not in run.manifest
    monkeypatch.setattr("atelier.runs.provenance.device_name", lambda device: "another")
    monkeypatch.setattr("atelier.runs.provenance.versions", lambda root: {"torch": "another"})
    for epochs in (2, 3):
        assert run_verb("train", f"resume={run.folder}", f"trainer.max_epochs={epochs}").code == 0
        assert {key: run.manifest[key] for key in began} == began
        (there,) = run.manifest["resumed"]
        assert (there["device"], there["versions"]) == ("another", {"torch": "another"})


def test_what_lies_below_the_data_folder_moves_with_it(compose: Callable[..., Any], tmp_path: Path) -> None:
    config = compose("experiment=dogs_vs_cats", "paths.data=/old")
    at_home(config, "/new")
    assert (config.paths.data, config.data.folder, config.data.images) == ("/new", "/new", "/new/dogs_vs_cats")
    (tmp_path / "here").mkdir()
    there = compose("experiment=dogs_vs_cats", f"paths.data={tmp_path}", f"data.images={tmp_path}/here")
    at_home(there, "/new")
    assert (there.data.folder, there.data.images) == ("/new", f"{tmp_path}/here"), "it is where it was"
    other = compose("experiment=dogs_vs_cats", "paths.data=/old", "data.folder=/older", "data.images=/old_ones/x")
    at_home(other, "/new")
    assert (other.data.folder, other.data.images) == ("/older", "/old_ones/x"), "they were typed"


def test_a_run_that_could_not_be_opened_again_does_not_begin(run_verb: Run) -> None:
    run = run_verb("train", *SHORT, r"note='price in \${x}'")
    assert run.code == 2
    assert run.err == "train.py: note=price in ${x}: a stored configuration is resolved\n"
    assert not list(run.logs.glob("runs/*/*"))


def test_a_cache_is_made_anew_for_one_command(run_verb: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else each later command would read a large folder again."""
    from atelier.data.images import ImageData

    rebuilt: list[bool] = []
    prepare = ImageData.prepare_data
    monkeypatch.setattr(ImageData, "prepare_data", lambda data: (rebuilt.append(data.rebuild), prepare(data)))
    short = ["network.hidden=[4]", "trainer=cpu", "trainer.max_epochs=1", "trainer.limit_train_batches=2"]
    run = run_verb("train", *short, "callbacks=none", "data.rebuild=true", "test=false")
    assert rebuilt == [True]
    for command in (["eval", f"run={run.folder}"], ["train", f"resume={run.folder}", "trainer.max_epochs=2"]):
        assert run_verb(*command).code == 0
    assert rebuilt[1:]
    assert not any(rebuilt[1:])
    assert "data.rebuild" not in " ".join(run.manifest["overrides"])
