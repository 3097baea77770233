"""Keys that have another name now: what was left under the earlier name goes on, and the hash is as it was."""

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from omegaconf import DictConfig, OmegaConf

from atelier.runs import setting
from atelier.runs.checkpoint import open_checkpoint
from atelier.runs.setting import RENAMED, current, renamed, setting_hash
from atelier.sweeps.records import read_run
from atelier.sweeps.sweep import Sweep

Run = Callable[..., Any]
Compose = Callable[..., DictConfig]
EARLIER = Path(__file__).parents[1] / "fixtures" / "earlier"
MORE = {"data.train_size": "data.points", "optimizer.lr": "optimizer.rate"}
TINY = ["network.hidden=[4]", "data.train_size=100", "trainer=cpu", "trainer.max_epochs=1", "callbacks=none"]


@pytest.fixture
def more(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if these keys had got their names today."""
    monkeypatch.setattr(setting, "RENAMED", {**RENAMED, **MORE})


def as_it_was(folder: Path) -> None:
    """The files of a folder with the earlier names of MORE in all texts and in each configuration."""
    for file in folder.rglob("*.json"):
        text = file.read_text()
        for key, earlier in MORE.items():
            text = text.replace(key, earlier)
        file.write_text(text)
    for file in folder.rglob("config.yaml"):
        file.write_text(yaml.safe_dump(moved_back(yaml.safe_load(file.read_text()))))
    for file in folder.rglob("*.ckpt"):
        content = torch.load(file, weights_only=True)
        torch.save({**content, "config": moved_back(content["config"])}, file)


def moved_back(config: dict[str, Any]) -> dict[str, Any]:
    config["data"]["points"] = config["data"].pop("train_size")
    config["optimizer"]["rate"] = config["optimizer"].pop("lr")
    return config


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("task.schedule=null", "task.scheduler=null"),
        ("+task.schedule.interval=step", "+task.scheduler.interval=step"),
        ("~task.schedule", "~task.scheduler"),
        ("sweep.swept=['task.schedule.length']", "sweep.swept=['task.scheduler.length']"),
        ('{"values": {"task.schedule.length": "a"}}', '{"values": {"task.scheduler.length": "a"}}'),
        ("data.mean=${task.schedule.mean}", "data.mean=${task.scheduler.mean}"),
        *((text, text) for text in ("task.scheduler=null", "+other.task.schedule=1", "paths.run=/my/task.schedule")),
        *((text, text) for text in ("task.schedule_length=3", "scheduler=cosine", "+experiment=my-task.schedule")),
    ],
)
def test_an_earlier_name_is_read_as_the_new_one(text: str, expected: str) -> None:
    assert current(text) == expected


@pytest.mark.parametrize(
    ("key", "earlier"),
    [
        *MORE.items(),
        ("task.scheduler.interval", "task.scheduler.unit"),
        ("trainer.max_epochs", "task.epochs"),  # from one group into another
        ("data.eval_batch_size", "data.fast"),  # which does not count
    ],
)
def test_the_hash_stays(compose: Compose, monkeypatch: pytest.MonkeyPatch, key: str, earlier: str) -> None:
    config = compose("scheduler=cosine")
    config.task = OmegaConf.to_container(config.task, resolve=True)  # so that each key stands there once
    before = config.copy()
    value = OmegaConf.select(before, key)
    parent, _, name = key.rpartition(".")
    OmegaConf.set_struct(before, False)
    del OmegaConf.select(before, parent)[name]
    if key != "data.eval_batch_size":
        OmegaConf.update(before, earlier, value, force_add=True)
    hash_before = setting_hash(before)
    monkeypatch.setattr(setting, "RENAMED", {**RENAMED, key: earlier})
    assert setting_hash(config) == hash_before


def test_a_report_finds_a_key_that_was_in_another_group(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(setting, "RENAMED", {**RENAMED, "trainer.max_epochs": "task.epochs"})
    (tmp_path / "run.json").write_text("{}")
    (tmp_path / "config.yaml").write_text("task:\n  epochs: 3\n  lr: 1\ntrainer:\n  devices: 2\n")
    record = read_run(tmp_path)
    keys = ("trainer.max_epochs", "trainer.devices", "task.lr")
    assert [record.value(key) for key in keys] == ["3", "2", "1"]


def test_what_a_configuration_does_not_have_is_not_made() -> None:
    for content in ({}, {"task": None}, {"task": {"scheduler": 1}}, {"study": {"grid": {"task.schedule": [1]}}}):
        assert renamed(json.loads(json.dumps(content))) == content
    assert renamed({"task": {"schedule": None}}) == {"task": {"scheduler": None}}


@pytest.mark.usefixtures("more")
def test_a_run_goes_on(run_verb: Run, compose: Compose, tmp_path: Path) -> None:
    run = run_verb("train", *TINY, logs=tmp_path)
    assert run.code == 0, run.err
    as_it_was(run.folder)
    assert "data.points=100" in (run.folder / "run.json").read_text()
    assert read_run(run.folder).value("data.train_size") == "100"
    assert read_run(run.folder).value("optimizer.lr") == "0.001"
    assert open_checkpoint(run.folder / "checkpoints" / "last.ckpt")["config"]["data"]["train_size"] == 100
    outcome = run_verb("eval", f"run={run.folder}", logs=tmp_path)
    assert (outcome.code, outcome.err) == (0, "")
    outcome = run_verb("train", f"resume={run.folder}", "trainer.max_epochs=2", "optimizer.rate=0.01", logs=tmp_path)
    assert (outcome.code, outcome.err) == (0, "")
    left = json.loads((run.folder / "run.json").read_text())
    assert (left["epochs"], left["overrides"][-1]) == (2, "optimizer.lr=0.01")
    assert left["config_hash"] == setting_hash(compose(*TINY, "trainer.max_epochs=2", "optimizer.lr=0.01"))


@pytest.mark.usefixtures("more")
def test_a_half_done_sweep_goes_on(run_verb: Run, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(EARLIER / "sweep", tmp_path / "sweeps" / "default" / "sweep"))
    as_it_was(folder)
    text = (folder / "sweep.json").read_text().replace('"optimizer=sgd,adam"', '"optimizer.rate=0.1,0.2"')
    for number, name in enumerate(("sgd", "adam")):
        text = text.replace(f'"optimizer={name}"', f'"optimizer.rate=0.{number + 1}"')
        text = text.replace(f'"optimizer": "{name}"', f'"optimizer.rate": "0.{number + 1}"')
    (folder / "sweep.json").write_text(re.sub(r'"optimizer"(?=\s*\])', '"optimizer.rate"', text))
    sweep = Sweep.read(folder)
    assert [job.values for job in sweep.jobs] == [{"optimizer.lr": "0.1"}, {"optimizer.lr": "0.2"}]
    assert (sweep.content["swept"], sweep.content["command"][-1]) == (["optimizer.lr"], "optimizer.lr=0.1,0.2")
    outcome = run_verb("train", f"sweep.resume={folder}", logs=tmp_path)
    assert (outcome.code, outcome.err) == (0, "")
    assert "1 of 2 jobs are to be done" in outcome.out
    assert json.loads((folder / "1" / "run.json").read_text())["status"] == "completed"
    assert "optimizer.lr" in (folder / "summary.csv").read_text().splitlines()[0].split(",")
