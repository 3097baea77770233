"""The settings of one machine in conf/local/: below what is typed and below experiments, in every verb, in no hash."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import hydra
import pytest
from omegaconf import DictConfig

from atelier.compose.verb import register_resolvers
from atelier.errors import InputError
from atelier.local_settings import check_local
from atelier.project import read_environment
from atelier.runs.setting import setting_hash

ROOT = Path(__file__).parents[1]
Compose = Callable[..., DictConfig]
FILES = {
    "paths": "data: /big/data\n",
    "trainer": "precision: bf16-mixed\naccelerator: cpu\n",
    "launcher": "jobs: 4\n",
    "slurm": "partition: gpu\n",
}


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The verbs with a copy of conf/ whose machine has settings, and an experiment that asks for a precision."""
    root = tmp_path_factory.mktemp("project")
    (root / "src").mkdir()
    for verb in (ROOT / "src").glob("*.py"):
        shutil.copy2(verb, root / "src")
    shutil.copytree(ROOT / "conf", root / "conf", ignore=shutil.ignore_patterns("local"))
    written(root / "conf" / "local", FILES)
    experiment = "# @package _global_\ntrainer:\n  precision: 64-true\n"
    (root / "conf" / "experiment" / "precise.yaml").write_text(experiment)
    return root


def written(folder: Path, files: dict[str, str]) -> None:
    folder.mkdir(parents=True)
    for name, text in files.items():
        (folder / f"{name}.yaml").write_text(text)


@pytest.fixture
def with_local(project: Path, monkeypatch: pytest.MonkeyPatch) -> Compose:
    """`compose` with the settings of that machine."""
    register_resolvers(ROOT)
    monkeypatch.delenv("ATELIER_LOCAL")

    def made(*overrides: str, config: str = "train") -> DictConfig:
        with hydra.initialize_config_dir(str(project / "conf"), version_base="1.3"):
            return hydra.compose(config, list(overrides), return_hydra_config=True)

    return made


def test_they_are_below_what_is_typed_and_below_experiments(with_local: Compose) -> None:
    config = with_local()
    assert (config.paths.data, config.hydra.launcher.jobs) == ("/big/data", 4)
    assert (config.trainer.precision, config.trainer.accelerator) == ("bf16-mixed", "cpu")
    assert with_local("experiment=precise").trainer.precision == "64-true"
    typed = with_local("trainer=gpu", "trainer.precision=32-true", "paths.data=/here", "hydra.launcher.jobs=1")
    assert (typed.trainer.accelerator, typed.trainer.precision) == ("gpu", "32-true")
    assert (typed.paths.data, typed.hydra.launcher.jobs) == ("/here", 1)


def test_a_launcher_has_its_own(with_local: Compose) -> None:
    launcher = with_local("hydra/launcher=slurm").hydra.launcher
    assert (launcher.partition, launcher.jobs) == ("gpu", None)


def test_every_verb_reads_them(with_local: Compose) -> None:
    verbs = {file.stem for file in (ROOT / "conf").glob("*.yaml") if "paths: default" in file.read_text()}
    assert verbs >= {"train", "eval", "predict", "sample", "report", "dashboard"}
    assert {with_local(config=verb).paths.data for verb in verbs} == {"/big/data"}
    assert with_local("trainer=auto", config="eval").trainer.precision == "bf16-mixed"
    assert with_local(config="eval").get("trainer") is None, "a finished run keeps its own"


def test_they_do_not_count_in_a_setting(with_local: Compose, compose: Compose) -> None:
    for chosen in ([], ["trainer=ddp_cpu"], ["data=mnist"]):
        config = with_local(*chosen)
        del config._content["hydra"]
        assert setting_hash(config) == setting_hash(compose(*chosen))


def test_another_folder_of_settings_can_be_chosen(
    project: Path, with_local: Compose, monkeypatch: pytest.MonkeyPatch
) -> None:
    written(project / "conf" / "local" / "laptop", {"trainer": "precision: 32-true\n"})
    monkeypatch.setenv("ATELIER_LOCAL", "laptop")
    config = with_local()
    assert (config.trainer.precision, config.hydra.launcher.jobs) == ("32-true", None)


# ---------------------------------------------------------------------- what is refused


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("trainer", "max_epochs: 5\n", "trainer.max_epochs is not a machine's own; no 'max_epochs'; choose from: "),
        ("trainer", "precision: 32-true\ndevices: 2\n", "trainer.devices is not a machine's own"),
        ("trainer", "defaults: [cpu]\n", "trainer.defaults is not a machine's own"),
        ("paths", "run: /x\n", "paths.run is not a machine's own"),
        ("paths", "logs: ~/runs\n", "paths.logs=~/runs: write it in full, from / on"),
        ("paths", "data: data\n", "paths.data=data: write it in full"),
        ("optimizer", "lr: 1.0\n", "no 'optimizer'; choose from: "),
        ("default", "trainer: {precision: 32-true}\n", "no 'default'; choose from: "),
        ("trainer", "32-true\n", "write KEY: VALUE, with a key of trainer in each line"),
        ("trainer", "precision: [\n", "cannot be read: "),
    ],
)
def test_what_counts_in_a_setting_is_refused_in_a_line_that_names_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, text: str, told: str
) -> None:
    monkeypatch.delenv("ATELIER_LOCAL")
    written(tmp_path / "conf" / "local", {name: text})
    with pytest.raises(InputError) as refusal:
        check_local(tmp_path / "conf")
    assert told in str(refusal.value)
    assert f"conf/local/{name}.yaml" in str(refusal.value)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize("verb", ["train", "eval", "report"])
def test_a_verb_refuses_before_it_begins(run_verb: Callable[..., Any], project: Path, verb: str) -> None:
    written(project / "conf" / "local" / verb, {"trainer": "max_epochs: 5\n"})
    outcome = run_verb(str(project / "src" / f"{verb}.py"), environment={"ATELIER_LOCAL": verb})
    assert outcome.code == 2
    assert outcome.err.startswith(f"conf/local/{verb}/trainer.yaml: trainer.max_epochs is not a machine's own")
    assert outcome.err.count("\n") == 1
    assert list(outcome.logs.iterdir()) == []


def test_a_key_that_the_launcher_lacks_is_refused_by_the_launcher(run_verb: Callable[..., Any], project: Path) -> None:
    written(project / "conf" / "local" / "other", {"launcher": "job: 4\n"})
    script = str(project / "src" / "train.py")
    outcome = run_verb(script, "-m", "seed=0,1", environment={"ATELIER_LOCAL": "other"})
    assert outcome.code == 2
    assert "hydra.launcher.job" in outcome.err


def test_without_the_folder_nothing_is_checked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ATELIER_LOCAL")
    check_local(tmp_path)


def test_a_folder_of_the_environment_begins_in_the_project_or_at_home(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", "/home/someone")
    written = {"~/logs": "/home/someone/logs", "logs": str(tmp_path / "logs"), "/logs": "/logs", "~": "/home/someone"}
    for text, meant in written.items():
        (tmp_path / ".env").write_text(f"LOG_DIR={text}\nWANDB_PROJECT=~x")
        for name in ("LOG_DIR", "WANDB_PROJECT"):
            monkeypatch.setenv(name, "")  # so that it is put back in the end
            monkeypatch.delenv(name)
        monkeypatch.setenv("DATA_DIR", "~/data")
        read_environment(tmp_path)
        found = [os.environ[name] for name in ("LOG_DIR", "DATA_DIR", "WANDB_PROJECT")]
        assert found == [meant, "/home/someone/data", "~x"]
