"""Which project `import atelier` is for: by the working directory, as for the program `atelier`."""

import os
from pathlib import Path

import pytest

from atelier.api import project
from atelier.errors import InputError
from atelier.new import make_project
from atelier.project import VARIABLE

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def _no_project_yet(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (VARIABLE, "LOG_DIR", "DATA_DIR", "WANDB_MODE"):
        monkeypatch.setenv(name, "")  # so that what is set in the test is taken back
        monkeypatch.delenv(name)


@pytest.mark.parametrize("folder", [ROOT, ROOT / "docs", Path("/")])
def test_in_this_repository_and_outside_of_projects_it_is_this_one(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    assert project.root() == ROOT
    assert VARIABLE not in os.environ
    assert project.train_script() == ROOT / "src" / "train.py"
    assert project.logs_folder() == ROOT / "logs"


def test_an_installed_atelier_waits_for_the_first_folder_that_is_a_project(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A notebook may be started at home, and go to its project."""
    monkeypatch.setattr(project, "INSTALLED", True)
    make_project([str(tmp_path / "mine")])
    monkeypatch.chdir(tmp_path)
    assert project.root() == tmp_path
    assert VARIABLE not in os.environ
    monkeypatch.chdir(tmp_path / "mine" / "src")
    assert project.root() == tmp_path / "mine"
    assert os.environ[VARIABLE] == str(tmp_path / "mine")


def test_a_project_of_ones_own_stays_the_project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_project([str(tmp_path / "mine")])
    monkeypatch.chdir(tmp_path / "mine" / "src")
    assert project.logs_folder() == tmp_path / "mine" / "logs"
    assert project.conf_folder() == tmp_path / "mine" / "conf"
    monkeypatch.chdir(tmp_path)
    assert project.root() == tmp_path / "mine"
    assert os.environ[VARIABLE] == str(tmp_path / "mine"), "for what may be built, and for the training's process"


def test_a_folder_in_its_env_is_meant_from_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_project([str(tmp_path / "mine")])
    (tmp_path / "mine" / ".env").write_text(f"LOG_DIR=my_runs\nDATA_DIR={tmp_path / 'data'}\nWANDB_MODE=offline\n")
    monkeypatch.chdir(tmp_path / "mine" / "src")
    assert project.logs_folder() == tmp_path / "mine" / "my_runs"
    assert (os.environ["DATA_DIR"], os.environ["WANDB_MODE"]) == (str(tmp_path / "data"), "offline")
    monkeypatch.setenv("LOG_DIR", "elsewhere")
    assert project.logs_folder() == Path("elsewhere").absolute(), "what the shell has set is meant from here"


def test_the_settings_of_the_machine_are_checked_as_for_a_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_project([str(tmp_path / "mine")])
    local = tmp_path / "mine" / "conf" / "local"
    local.mkdir(parents=True)
    (local / "paths.yaml").write_text("run: /x\n")
    monkeypatch.chdir(tmp_path / "mine")
    monkeypatch.delenv("ATELIER_LOCAL", raising=False)
    with pytest.raises(InputError, match=r"paths\.run is not a machine's own"):
        project.logs_folder()
