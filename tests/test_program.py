"""The program `atelier`, and projects of one's own that build on the library's conf/."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from atelier.__main__ import main
from atelier.new import make_project
from atelier.option_files import groups, options
from atelier.project import CONF, find, find_project, layers, trusted

Run = Callable[..., Any]
ROOT = Path(__file__).parents[1]
FAST = ["debug=fast", "trainer=cpu", "callbacks=none"]


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A new project; what this process imports from it is forgotten in the end."""
    folder = tmp_path_factory.mktemp("projects") / "own_project"
    before = list(sys.path)
    assert make_project([str(folder)]) is None
    yield folder
    sys.path[:] = before
    for name in [name for name in sys.modules if name.partition(".")[0] == folder.name]:
        del sys.modules[name]


@pytest.fixture
def run(project: Path, run_verb: Run, tmp_path: Path) -> Run:
    def typed(verb: str, *words: str) -> Any:
        return run_verb(verb, *words, logs=tmp_path, environment={"ATELIER_PROJECT": str(project)})

    return typed


def test_the_options_of_a_project_stand_before_those_of_the_library(project: Path) -> None:
    conf = project / "conf"
    assert layers(conf) == [conf, CONF]
    assert {"bars", "digits"} <= set(options("data", conf))
    assert set(groups(conf)) == set(groups(CONF))
    assert find(conf, "network/two_ways.yaml") == conf / "network" / "two_ways.yaml"
    assert find(conf, "network/mlp.yaml") == CONF / "network" / "mlp.yaml"


def test_a_complete_conf_stands_alone(tmp_path: Path) -> None:
    (tmp_path / "train.yaml").touch()
    assert layers(tmp_path) == [tmp_path]
    assert layers(CONF) == [CONF]


def test_a_run_of_a_projects_experiment_is_tested_again(run: Run) -> None:
    trained = run("train", "experiment=bars", *FAST)
    assert (trained.code, trained.err) == (0, "")
    assert trained.manifest["experiment"] == "bars"
    again = run("eval", f"run={trained.folder}")
    assert (again.code, again.err) == (0, "")
    refused = run("eval", f"run={trained.folder}", "data.num_images=300")
    assert refused.err.startswith("data.num_images=300: the run was trained with 2000, and another split may test on ")


def test_a_file_of_a_project_replaces_the_librarys(project: Path, run: Run) -> None:
    own = project / "conf" / "optimizer"
    own.mkdir()
    (own / "sgd.yaml").write_text((CONF / "optimizer" / "sgd.yaml").read_text().replace("lr: ", "lr: 0.125 # not "))
    shown = run("train", "experiment=bars", "optimizer=sgd", "--cfg", "job").out
    assert "lr: 0.125" in shown
    assert "Two" in shown


def test_a_mistake_in_a_project_lists_the_options_of_both(run: Run) -> None:
    told = run("train", "experiment=barz").err
    assert told.startswith("experiment=barz: no 'barz'; choose from: bars, ")
    assert "clock_best" in told


def test_messages_name_the_program(project: Path, run: Run) -> None:
    assert "Usage: atelier train [" in run("train", "--help").out
    assert "Make one: atelier train" in run("report").out


@pytest.mark.parametrize(
    "words",
    [
        ["train", "experiment=bars", *FAST],
        pytest.param(["train", "-m", "experiment=bars", "seed=0,1"], marks=pytest.mark.slow),
    ],
)
def test_what_a_project_does_not_trust_is_not_built(project: Path, run_verb: Run, tmp_path: Path, words: Any) -> None:
    """Its conf/ names a class of its own code, which only its pyproject.toml may allow."""
    other = tmp_path / "other"
    subprocess.run(["cp", "-r", project, other], check=True)
    text = (other / "pyproject.toml").read_text()
    (other / "pyproject.toml").write_text(text.replace('trusted = ["own_project"]', "trusted = []"))
    verb, *more = words
    outcome = run_verb(verb, *more, logs=tmp_path / "logs", environment={"ATELIER_PROJECT": str(other)})
    assert outcome.code != 0
    assert "data._target_=own_project.bars.Bars: not allowed" in outcome.err + outcome.out
    assert not list(tmp_path.glob("logs/runs/*/*"))


def test_parts_of_a_project_are_named_one_by_one(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ATELIER_PROJECT", str(project))
    assert (list(trusted()), list(trusted("parts"))) == (["own_project"], [])


@pytest.mark.parametrize("arguments", [["--help"], ["-h"], [], ["a", "b"]], ids=" ".join)
def test_how_a_project_is_made_is_told(arguments: list[str]) -> None:
    assert str(make_project(arguments)).startswith("Usage: atelier new NAME")


@pytest.mark.parametrize("name", ["Big", "1st", "with-dash", "class", "atelier", ""])
def test_a_name_that_is_no_package_is_refused(name: str, tmp_path: Path) -> None:
    assert "give a name of a package" in str(make_project([str(tmp_path / name / "") if name else ""]))


@pytest.mark.parametrize("name", ["json", "torch", "calendar"])
def test_a_name_that_python_has_already_is_refused(name: str, tmp_path: Path) -> None:
    assert f"such as my_{name}" in str(make_project([str(tmp_path / name)]))
    assert not (tmp_path / name).exists()


def test_a_place_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    told = str(make_project([str(tmp_path / "file" / "mine")]))
    assert told.startswith(f"atelier new {tmp_path}/file/mine: {tmp_path}/file")
    assert told.endswith(" cannot be written: Not a directory")


def test_a_folder_is_not_overwritten(project: Path) -> None:
    assert "exists already" in str(make_project([str(project)]))


def test_the_project_is_found_from_below(project: Path, tmp_path: Path) -> None:
    assert find_project(project / "src" / "own_project") == project
    assert find_project(tmp_path) == tmp_path
    (tmp_path / "pyproject.toml").write_text("this is [no toml")
    assert find_project(tmp_path) == tmp_path


def program(*words: str, folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "atelier", *words],
        cwd=folder,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
    )


def test_the_program_lists_its_verbs(tmp_path: Path) -> None:
    assert "new NAME" in program("--help", folder=tmp_path).stdout
    wrong = program("trian", folder=tmp_path)
    assert wrong.returncode == 1
    assert wrong.stderr.startswith("atelier trian: there is no such verb")


def test_a_wheel_holds_conf_without_the_settings_of_the_machine(tmp_path: Path) -> None:
    from hatchling.builders.wheel import WheelBuilder

    for name in ("pyproject.toml", ".gitignore", "README.md", "LICENSE"):
        shutil.copy2(ROOT / name, tmp_path)
    for name in ("src", "conf"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.rmtree(tmp_path / "conf" / "local", ignore_errors=True)
    conf = {f"atelier/{file.relative_to(tmp_path)}" for file in (tmp_path / "conf").rglob("*.yaml")}
    (tmp_path / "conf" / "local").mkdir()
    (tmp_path / "conf" / "local" / "paths.yaml").write_text("data: /big/data\n")
    held = {file.distribution_path for file in WheelBuilder(str(tmp_path)).recurse_included_files()}
    assert {name for name in held if name.startswith("atelier/conf/")} == conf
    assert held >= {"atelier/verbs/train.py", "atelier/__main__.py", "hydra_plugins/atelier_sweeps.py"}


def test_tab_completes_verbs(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "argv", ["atelier", "-sc", "query=bash"])
    for line, offered in (("atelier e", "eval export"), ("atelier trian opt", ""), ("atelier new ", "")):
        monkeypatch.setenv("COMP_LINE", line)
        assert main() == 0
        assert capsys.readouterr().out.strip() == offered


@pytest.mark.slow
def test_tab_completes_in_bash_after_the_line_that_the_help_names(project: Path) -> None:
    found = re.search(r'eval "\$\(atelier train .*\)"', program("train", "--help", folder=project).stdout)
    assert found is not None
    line = "atelier train experiment=ba"
    ask = f'COMP_LINE="{line}"; COMP_CWORD=2; hydra_bash_completion; echo "${{COMPREPLY[*]}}"'
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    script = f"{found[0]}; complete -p atelier; {ask}"
    outcome = subprocess.run(
        ["bash", "-c", script], cwd=project, env={**os.environ, "PATH": path}, capture_output=True, text=True
    )
    assert outcome.stdout.splitlines()[1:] == ["experiment=bars"], outcome.stderr
    assert "hydra_bash_completion atelier" in outcome.stdout


@pytest.mark.slow
def test_a_wheel_brings_all_that_a_project_needs(tmp_path: Path) -> None:
    """Installed apart from this repository: a new project trains, sweeps and passes its tests."""
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path / "wheel")]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    (wheel,) = (tmp_path / "wheel").glob("*.whl")
    place = tmp_path / "installed"
    install = ["-m", "pip", "install", "--no-deps", "--no-index", "--target", str(place), str(wheel)]
    subprocess.run([sys.executable, *install], check=True, capture_output=True)
    installed = {"PYTHONPATH": str(place)}
    assert program("new", "mine", folder=tmp_path, **installed).returncode == 0
    mine = tmp_path / "mine"
    assert wheel.name in (mine / "pyproject.toml").read_text()
    trained = program("train", "experiment=bars", "trainer=ddp_cpu", "trainer.max_epochs=1", folder=mine, **installed)
    assert trained.returncode == 0, trained.stderr
    where = "import atelier.project as project; print(project.CONF)"
    found = subprocess.run(
        [sys.executable, "-c", where], env={**os.environ, **installed}, capture_output=True, text=True
    )
    assert Path(found.stdout.strip()) == place / "atelier" / "conf"
    tests = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    tested = subprocess.run(tests, cwd=mine, env={**os.environ, **installed}, capture_output=True, text=True)
    assert "2 passed" in tested.stdout, tested.stdout
