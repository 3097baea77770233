"""Sets of images as their configuration builds them, and pictures for folders of them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from omegaconf import DictConfig
from PIL import Image

from atelier.compose.targets import build
from atelier.data.class_folders import class_count
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


@pytest.fixture
def own(compose: Compose, tmp_path: Path) -> Callable[..., Any]:
    """`own(folder, skip_broken=True)`: a data set of one's own images, of 3×8×8, whatever their mean."""

    def made(images: Path, kind: str = "image_folder", **changes: Any) -> Any:
        given = ["data.images=images", "data.classes=[a,b]"] if kind == "image_folder" else []
        config = compose(f"data={kind}", *given).data
        facts = {"images": str(images), "folder": str(tmp_path / "cache"), "shape": [3, 8, 8], "mean": 0, "std": 1}
        if kind == "image_folder":
            facts |= {"classes": None, "num_classes": changes.pop("num_classes", None) or class_count(None, images)}
        for key, value in {**facts, "seed": 0, **changes}.items():
            config[key] = value
        return build(config)

    return made


def paint(path: Path, number: int = 0) -> None:
    """A small picture unlike that of any other number, in PNG whatever the path ends in."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(number).integers(0, 256, (8, 8, 3)).astype(np.uint8)
    Image.fromarray(pixels).save(path, "PNG")


@pytest.fixture(scope="session", name="paint")
def paint_fixture() -> Callable[..., None]:
    return paint


@pytest.fixture
def pets(tmp_path: Path) -> Path:
    """Ten pictures of each of two classes."""
    for kind in range(2):
        for number in range(10):
            paint(tmp_path / "pets" / ("cat", "dog")[kind] / f"{number}.png", 100 * kind + number)
    return tmp_path / "pets"


@pytest.fixture
def divide(pets: Path) -> Callable[[int], Path]:
    """`divide(3)`: the pets as training images, beside so many images of each class that validate and that test."""

    def divided(count: int) -> Path:
        (pets / "train").mkdir()
        for number, name in enumerate(("cat", "dog")):
            (pets / name).rename(pets / "train" / name)
            for place, split in enumerate(("val", "test")):
                for copy in range(count):
                    paint(pets / split / name / f"{copy}.png", 500 + 100 * place + 10 * number + copy)
        return pets

    return divided
