"""Sets of images as their configuration builds them, and pictures for folders of them."""

from collections.abc import Callable
from pathlib import Path

import pytest
from omegaconf import DictConfig
from PIL import Image

from atelier.compose.targets import build
from atelier.data.images import ImageData

Compose = Callable[..., DictConfig]


@pytest.fixture
def make(compose: Compose, tmp_path: Path) -> Callable[..., ImageData]:
    """`make("digits", "data.fold=1")`: the data set, its files under `tmp_path`."""
    return lambda name, *overrides: build(compose(f"data={name}", f"paths.data={tmp_path}", *overrides).data)


def ready(data: ImageData) -> ImageData:
    data.prepare_data()
    data.setup()
    return data


@pytest.fixture(scope="session", name="ready")
def ready_fixture() -> Callable[[ImageData], ImageData]:
    return ready


def save(path: Path, value: int, size: tuple[int, int] = (8, 8)) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, (value, value, value)).save(path)


@pytest.fixture(scope="session", name="save")
def save_fixture() -> Callable[..., None]:
    return save
