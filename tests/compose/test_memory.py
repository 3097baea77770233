"""What the tests' Hydra remembers (tests/fixtures/hydra_memory.py) is what it reads and composes without."""

from collections.abc import Callable
from pathlib import Path

import hydra
import hydra_memory
import pytest
from hydra.errors import HydraException
from omegaconf import OmegaConf

COMMANDS = (
    ["optimizer=sgd", "trainer=cpu", "optimizer.lr=3"],
    ["experiment=clock_multihead", "seed=3", "+callbacks=[filters]"],
    ["study=leiden_clock_encodings", "~logger"],
    ["optimizer=adamm"],
    ["experiment=clock_multihead", "optimizer.lr=oops,"],
)


def composed(conf: Path, overrides: list[str]) -> str:
    try:
        with hydra.initialize_config_dir(str(conf), version_base="1.3"):
            return OmegaConf.to_yaml(hydra.compose("train", overrides, return_hydra_config=True))
    except HydraException as error:
        return repr(error)


@pytest.fixture
def without_memory(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    def forget() -> None:
        for owner, name in hydra_memory.PATCHED:
            monkeypatch.setattr(owner, name, getattr(owner, name).__wrapped__)

    return forget


def test_it_composes_alike(conf: Path, without_memory: Callable[[], None]) -> None:
    again = [composed(conf, command) for _ in range(2) for command in COMMANDS]
    without_memory()
    assert again == 2 * [composed(conf, command) for command in COMMANDS]


def test_a_changed_file_is_read_anew(tmp_path: Path) -> None:
    found = []
    for value in ("first", "the second"):
        (tmp_path / "train.yaml").write_text(f"key: {value}")
        found.append(composed(tmp_path, []))
    assert ["key: first" in found[0], "key: the second" in found[1]] == [True, True]
