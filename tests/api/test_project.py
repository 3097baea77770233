"""Which project `import atelier` is for: by the working directory, as for the program `atelier`."""

import os
from pathlib import Path

import pytest

from atelier.api import project
from atelier.new import make_project
from atelier.project import VARIABLE

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def _no_project_yet(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (VARIABLE, "LOG_DIR"):
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


def test_a_project_of_ones_own_stays_the_project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_project([str(tmp_path / "mine")])
    monkeypatch.chdir(tmp_path / "mine" / "src")
    assert project.logs_folder() == tmp_path / "mine" / "logs"
    assert project.conf_folder() == tmp_path / "mine" / "conf"
    monkeypatch.chdir(tmp_path)
    assert project.root() == tmp_path / "mine"
    assert os.environ[VARIABLE] == str(tmp_path / "mine"), "for what may be built, and for the training's process"
