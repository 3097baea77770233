"""What the tests' Hydra remembers is what it composes without, and OmegaConf's quick copies are its own."""

import copy
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import hydra
import hydra_memory
import omegaconf_copies
import pytest
from hydra.errors import HydraException
from omegaconf import DictConfig, ListConfig, OmegaConf
from omegaconf.base import Node

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


# ---------------------------------------------------------------------- copies


def parts(node: Node, parent: Node | None) -> Iterator[Any]:
    """All that a node and those in it hold, with their kinds; and whether each knows its parent."""
    held = dict(vars(node))
    content = held.pop("_content", None)
    yield type(node), type(held["_metadata"]), held.pop("_parent") is parent, held
    inside = list(content.items()) if isinstance(content, dict) else list(enumerate(content or ""))
    for key, one in inside if isinstance(node, DictConfig | ListConfig) and not isinstance(content, str) else ():
        yield key
        yield from parts(one, node)


@pytest.mark.usefixtures("compose")  # which registers the resolvers
def test_a_quick_copy_is_omegaconfs_own(conf: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with hydra.initialize_config_dir(str(conf), version_base="1.3"):
        config = hydra.compose("train", COMMANDS[1], return_hydra_config=True)
    OmegaConf.set_readonly(config.optimizer, True)
    config._metadata.resolver_cache["stamp"] = {(): "once"}
    assert config.paths.logs, "resolved once, with a cache of its flags"
    quick, inner = copy.deepcopy(config), copy.deepcopy(config.optimizer)
    for kind, way in omegaconf_copies.OWN.items():
        if way is None:
            monkeypatch.delattr(kind, "__deepcopy__")
        else:
            monkeypatch.setattr(kind, "__deepcopy__", way)
    assert list(parts(quick, None)) == list(parts(copy.deepcopy(config), None))
    assert list(parts(inner, config)) == list(parts(copy.deepcopy(config.optimizer), config))


def test_a_quick_copy_shares_nothing_that_changes(compose: Callable[..., DictConfig]) -> None:
    config = compose()
    before = OmegaConf.to_yaml(config)
    copied = copy.deepcopy(config)
    OmegaConf.set_struct(copied, False)
    copied.optimizer.lr, copied.network.hidden[0], copied.new = 5, 1, {"key": [1]}
    copied._metadata.resolver_cache["stamp"]["x"] = 1
    assert OmegaConf.to_yaml(config) == before
    assert config._metadata.flags == {"struct": True}
    assert "x" not in config._metadata.resolver_cache["stamp"]
    assert copied.optimizer._get_parent() is copied
