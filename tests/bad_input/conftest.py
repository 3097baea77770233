"""Wrong input ends in one or two lines that say what is wrong, with exit status 2 and no traceback."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import hydra
import pytest
import torch

from atelier.compose.build import check_run
from atelier.compose.explain import explain
from atelier.compose.verb import about_settings, register_resolvers
from atelier.errors import InputError

ROOT = Path(__file__).parents[2]

Run = Callable[..., Any]


def refusal(outcome: Any) -> str:
    """What a command that was refused says, after checking that it says it well."""
    assert outcome.code == 2, f"exit status {outcome.code}\n{outcome.out}\n{outcome.err}"
    assert "Traceback" not in outcome.err + outcome.out
    assert 1 <= len(outcome.err.splitlines()) <= 2, outcome.err
    return outcome.err


@pytest.fixture(scope="session", name="refusal")
def refusal_fixture() -> Callable[[Any], str]:
    return refusal


@pytest.fixture
def told(run_verb: Run) -> Callable[..., str]:
    """The message of a verb that refuses its command line."""

    def message(name: str, *overrides: str, **options: Any) -> str:
        return refusal(run_verb(name, *overrides, **options))

    return message


@pytest.fixture
def run_copy(trained: Any, tmp_path: Path) -> Path:
    """A finished run of one's own, to be spoiled."""
    return Path(shutil.copytree(trained.folder, tmp_path / "run"))


def edit_checkpoint(path: Path, change: Callable[[dict[str, Any]], None]) -> None:
    content = torch.load(path, weights_only=True)
    change(content)
    torch.save(content, path)


@pytest.fixture(scope="session", name="edit_checkpoint")
def edit_checkpoint_fixture() -> Callable[..., None]:
    return edit_checkpoint


def using(verb: str, run: Path, tiny: list[str], checkpoint: Path) -> list[str]:
    """The overrides that make a verb use this run's best checkpoint."""
    if verb == "train":
        return [*tiny, "train=false", f"checkpoint={checkpoint}", "callbacks=none"]
    return [f"run={run}", *([f"inputs={run / 'figures'}"] if verb == "predict" else [])]


@pytest.fixture(scope="session", name="using")
def using_fixture() -> Callable[..., list[str]]:
    return using


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The verbs with a copy of conf/."""
    root = tmp_path_factory.mktemp("project")
    (root / "src").mkdir()
    shutil.copy2(ROOT / "src" / "train.py", root / "src")
    shutil.copytree(ROOT / "conf", root / "conf", ignore=shutil.ignore_patterns("local"))
    return root


@pytest.fixture
def told_of(project: Path) -> Callable[..., str]:
    """The message about an option file with these bytes; "" if there is none."""

    def message(content: str | bytes, file: str = "experiment/mine.yaml", *typed: str) -> str:
        path = project / "conf" / file
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        group, _, name = file.removesuffix(".yaml").partition("/")
        register_resolvers(project)
        try:
            with hydra.initialize_config_dir(str(project / "conf"), version_base="1.3"):
                overrides = [f"{group}={name}", *typed]
                config = hydra.compose("train", overrides)
                of_run = dict(one.split("=", 1) for one in overrides).get("experiment", "default")
                check_run(config, of_run, overrides)
        except Exception as error:
            if not about_settings(error):
                raise
            text = explain(error, project / "conf")
            assert 1 <= len(text.splitlines()) <= 2, text
            return text
        finally:
            path.unlink()
            register_resolvers(ROOT)
        return ""

    return message


@pytest.fixture
def refused(compose: Callable[..., Any], data_dir: Path) -> Callable[[list[str]], str]:
    """The message about a run with these overrides; "" if there is none."""

    def message(typed: list[str]) -> str:
        config = compose(*typed)
        config.paths.data = str(data_dir)
        try:
            check_run(config, overrides=typed)
        except InputError as error:
            return str(error)
        return ""

    return message
