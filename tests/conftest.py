"""What the tests share: configurations composed from conf/, and tests that run over every option of a group."""

from collections.abc import Callable
from pathlib import Path

import hydra
import hypothesis
import pytest
from omegaconf import DictConfig

from atelier.compose.verb import register_resolvers

ROOT = Path(__file__).parents[1]

hypothesis.settings.register_profile("atelier", deadline=None, max_examples=50, derandomize=True)
hypothesis.settings.load_profile("atelier")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A test that takes `<group>_option` runs once for every file of conf/<group>/."""
    for name in metafunc.fixturenames:
        if name.endswith("_option"):
            folder = ROOT / "conf" / name.removesuffix("_option")
            metafunc.parametrize(name, sorted(file.stem for file in folder.glob("*.yaml")))


@pytest.fixture(scope="session")
def conf() -> Path:
    return ROOT / "conf"


@pytest.fixture(scope="session")
def compose(conf: Path) -> Callable[..., DictConfig]:
    """`compose("optimizer=sgd", config="train")`: what the command line would give."""
    register_resolvers(ROOT)

    def composed(*overrides: str, config: str = "train") -> DictConfig:
        with hydra.initialize_config_dir(str(conf), version_base="1.3"):
            return hydra.compose(config, list(overrides))

    return composed
