"""Wrong input ends in one or two lines that say what is wrong, with exit status 2 and no traceback."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

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
