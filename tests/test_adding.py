"""The files of docs/adding.md and tables.md, in a copy of the project, are found, run and tested."""

import importlib
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import hydra
import pytest
import torch
import yaml

from atelier.compose.build import build_data, check_networks, check_run
from atelier.compose.verb import register_resolvers
from atelier.sweeps.grid import expand

Run = Callable[..., Any]
PAGES = ("adding", "tables")
ROOT = Path(__file__).parents[1]
# The tests over every file of a group.
DISCOVERY = [
    *("tests/callbacks/test_options.py", "tests/data/images/test_made_up.py", "tests/data/test_clocks.py"),
    *("tests/networks/test_networks.py", "tests/results/test_claims.py"),
    *("tests/tasks/test_optimizers.py", "tests/tasks/test_precision.py", "tests/test_experiments.py"),
    *("tests/test_imports.py", "tests/test_studies.py"),
]


@pytest.fixture(scope="module")
def project(project_with: Callable[..., Path]) -> Iterator[Path]:
    """A copy of the project with the pages' files; this process finds their modules too."""
    root = project_with(*PAGES)
    packages = [importlib.import_module(f"atelier.{name}") for name in ("callbacks", "data", "networks", "tasks")]
    before = set(sys.modules)
    for package in packages:
        package.__path__.append(str(root / "src" / "atelier" / package.__name__.partition(".")[2]))
    yield root
    for package in packages:
        package.__path__.pop()
    for name in set(sys.modules) - before:
        if str(root) in str(getattr(sys.modules[name], "__file__", "")):
            del sys.modules[name]
    register_resolvers(ROOT)


@pytest.mark.parametrize("all_of_them", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_the_commands_of_the_pages_run(
    project: Path,
    run_verb: Run,
    files_of: Callable[..., dict[str, str]],
    blocks_of: Callable[..., list[str]],
    tmp_path: Path,
    all_of_them: bool,
) -> None:
    """One training step each. By default not of a command whose parts another one has too.

    What a sweep trains is composed and checked.
    """
    mine = {Path(name).stem for name in files_of(*PAGES)}
    commands = [shlex.split(line, comments=True)[1:] for line in blocks_of(*PAGES)]
    parts = [(script, mine.intersection(re.findall(r"\w+", " ".join(words)))) for script, *words in commands]
    assert mine == set().union(*(names for _, names in parts)), "each file has its command"
    done = []
    for (script, *words), (_, names) in zip(commands, parts, strict=True):
        if "-m" in words:
            check_sweep(project, [word for word in words if word != "-m"])
        elif all_of_them or not any(other == script and names < more for other, more in parts):
            quick = ["debug=fast", "trainer=cpu", "data.batch_size=16", "trainer.limit_train_batches=1"]
            words += [*quick, "trainer.max_epochs=1"] if script.endswith("train.py") else []
            outcome = run_verb(str(project / script), *words, logs=tmp_path)
            assert (outcome.code, outcome.err) == (0, ""), words
            done.append(script)
    assert len(list(tmp_path.glob("runs/*/*"))) == done.count("src/train.py") >= 4
    assert len(list(tmp_path.glob("runs/*/*/figures/confidence.png"))) == 1
    assert len(list(tmp_path.glob("runs/*/*/evaluation/test/figures/confidence.csv"))) == 1
    assert len(list(tmp_path.glob("runs/houses/*/predictions/test/predictions.csv"))) == 1


def check_sweep(project: Path, overrides: list[str]) -> None:
    register_resolvers(project)
    with hydra.initialize_config_dir(str(project / "conf"), version_base="1.3"):
        study = yaml.safe_load((project / "conf" / "study" / "stripes_mutual.yaml").read_text())["study"]
        full, quick = (expand(overrides, study, budget)[0].jobs for budget in ("full", "quick"))
        assert len(full) > len(quick) > 1
        for job in quick:
            config = hydra.compose("train", job)
            check_run(config)
            check_networks(config)
            build_data(config).check_source()


@pytest.mark.parametrize(
    "change",
    [lambda text: "\ufeff" + text, lambda text: text.replace("\n", "\r\n"), lambda text: text.replace("\n", "\n\n")],
    ids=["a mark in front, as spreadsheets write it", "other line ends", "blank lines"],
)
def test_the_table_reads_what_spreadsheets_write(project: Path, tmp_path: Path, change: Callable[[str], str]) -> None:
    kind: Any = importlib.import_module("atelier.data.table").Table
    same = project / "tables" / "houses.csv"
    (tmp_path / "mine.csv").write_bytes(change(same.read_text()).encode())
    options = dict.fromkeys(("folds", "train_size")) | {"batch_size": 8, "eval_batch_size": 8, "validation_share": 0.1}
    options |= {"fold": 0, "split_seed": 0, "shuffle": True, "seed": 0, "resident": False}
    one, other = (
        kind(str(file), "area", (3,), 0.1, **options).load()[0] for file in (same, tmp_path / "mine.csv")
    )  # the first column
    assert all(torch.equal(one[name], other[name]) for name in one)


def test_the_pages_have_all_that_they_speak_of(files_of: Callable[..., dict[str, str]]) -> None:
    places = {name.rpartition("/")[0] for name in files_of(*PAGES)}
    groups = ("activation", "callbacks", "data", "experiment", "network", "optimizer", "study", "task")
    assert {f"conf/{group}" for group in groups} <= places
    assert {f"src/atelier/{folder}" for folder in ("callbacks", "data", "networks", "tasks")} <= places


@pytest.mark.slow
def test_the_tests_find_every_file_of_the_pages(
    project_with: Callable[..., Path], files_of: Callable[..., dict[str, str]], tmp_path: Path
) -> None:
    root, files = project_with(*PAGES), files_of(*PAGES)
    environment = {**os.environ, "PYTHONPATH": str(root / "src"), "LOG_DIR": str(tmp_path / "logs")}
    environment.pop("HYDRA_MEMORY", None)
    words = sorted({Path(name).stem for name in files})
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-n",
        "0",
        "-q",
        "-rA",
        "-k",
        " or ".join([*words, "only_watch", "help", "folder_imports"]),
    ]
    ended = subprocess.run([*command, *DISCOVERY], cwd=root, env=environment, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stdout[-6000:]
    passed = re.findall(r"^PASSED .*", ended.stdout, re.MULTILINE)
    for name in files:
        where = Path(name).parts[2] if name.startswith("src/") else Path(name).stem  # its folder, or its option
        assert any(re.search(rf"[\[-]{where}[\]-]", line) for line in passed), f"no test has tried {name}"
    code = [name for name in files if name.endswith(".py")]
    for tool in (["ruff", "check"], ["ruff", "format", "--check"]):
        checked = subprocess.run([sys.executable, "-m", *tool, *code], cwd=root, capture_output=True, text=True)
        assert checked.returncode == 0, checked.stdout
