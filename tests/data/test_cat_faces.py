"""Faces of cats from a folder, an array or Kaggle, and what is said when there are none."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from omegaconf import DictConfig
from PIL import Image

from atelier.compose.targets import build
from atelier.data.cat_faces import CatFaces
from atelier.errors import InputError

SIDE = 8


@pytest.fixture
def faces(compose: Callable[..., DictConfig], tmp_path: Path) -> Callable[..., CatFaces]:
    def made(images: Path, *overrides: str) -> CatFaces:
        size = ["data.std=0.29", f"data.shape=[3,{SIDE},{SIDE}]", f"data.folder={tmp_path / 'cache'}"]
        return build(compose("data=cat_faces", f"data.images={images}", *size, *overrides).data)

    return made


def pixels(count: int) -> np.ndarray:
    """Noise of about the mean and deviation that the configuration states."""
    return np.random.default_rng(0).integers(0, 256, (count, SIDE, SIDE, 3)).astype(np.uint8)


def test_an_array_is_read_with_its_channels_first(faces: Callable[..., CatFaces], tmp_path: Path) -> None:
    array = pixels(50)
    np.save(tmp_path / "faces.npy", array)
    data = faces(tmp_path / "faces.npy")
    data.prepare_data()
    tensors, classes = data.load()
    assert (len(tensors["train_images"]), len(tensors["test_images"]), classes) == (45, 5, None)
    found = torch.cat([tensors["train_images"], tensors["test_images"]]).permute(0, 2, 3, 1).flatten(1)
    assert {tuple(row.tolist()) for row in found} == {tuple(row.tolist()) for row in torch.from_numpy(array).flatten(1)}


def test_a_folder_is_read_with_its_folders(faces: Callable[..., CatFaces], tmp_path: Path) -> None:
    for number, array in enumerate(pixels(20)):
        folder = tmp_path / "many" / ("inner" if number % 2 else "")
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(array).save(folder / f"{number}.png")
    data = faces(tmp_path / "many")
    data.prepare_data()
    data.setup()
    rows = {name: set(part.rows.tolist()) for name, part in data.sets.items()}
    assert not rows["train"] & rows["val"]
    assert sum(map(len, rows.values())) == 20
    assert data.sets["train"].inputs.shape[1:] == (3, SIDE, SIDE)


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.zeros((5, SIDE, SIDE, 1), np.uint8), r"uint8 \[5, 8, 8, 1\], not uint8 \[N, 8, 8, 3\]"),
        (np.zeros((5, SIDE, SIDE, 3)), "float64"),
    ],
)
def test_another_array_is_told(faces: Callable[..., CatFaces], tmp_path: Path, array: np.ndarray, message: str) -> None:
    np.save(tmp_path / "faces.npy", array)
    with pytest.raises(InputError, match=message):
        faces(tmp_path / "faces.npy").prepare_data()


def test_what_is_no_array_is_told(faces: Callable[..., CatFaces], tmp_path: Path) -> None:
    (tmp_path / "faces.npy").write_text("no array")
    with pytest.raises(InputError, match=r"faces.npy: no .npy array of numbers"):
        faces(tmp_path / "faces.npy").prepare_data()


def empty(file: Path) -> None:
    file.touch()


def of_no_image(file: Path) -> None:
    np.save(file, np.zeros((0, SIDE, SIDE, 3), np.uint8))


def half(file: Path) -> None:
    np.save(file, pixels(50))
    file.write_bytes(file.read_bytes()[:5000])


def of_objects(file: Path) -> None:
    np.save(file, np.array([{}]), allow_pickle=True)


@pytest.mark.parametrize("write", [empty, of_no_image, half, of_objects])
def test_an_array_without_what_is_needed_is_told(
    faces: Callable[..., CatFaces], tmp_path: Path, write: Callable[[Path], None]
) -> None:
    write(tmp_path / "faces.npy")
    with pytest.raises(InputError, match=f"^data.images={tmp_path}/faces.npy: (no .npy array|the array .* is empty)"):
        faces(tmp_path / "faces.npy").prepare_data()


def test_an_empty_folder_is_told(faces: Callable[..., CatFaces], tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no image is left to train on \(it holds no file\)"):
        faces(tmp_path).prepare_data()


def test_missing_faces_are_told_with_what_to_do(faces: Callable[..., CatFaces], tmp_path: Path) -> None:
    with pytest.raises(InputError, match="there is no"):
        faces(tmp_path / "nowhere").check_source()
    with pytest.raises(InputError, match=r"(?s)there is no .*data.download=true.*data=cat_photographs"):
        faces(tmp_path / "nowhere").prepare_data()
    faces(tmp_path / "nowhere", "data.download=true").check_source()


def test_kaggle_is_asked_for_the_reports_set(
    faces: Callable[..., CatFaces], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kagglehub: Any = pytest.importorskip("kagglehub")
    asked = []

    def download(name: str) -> str:
        asked.append(name)
        (tmp_path / "fetched").mkdir()
        for number, array in enumerate(pixels(20)):
            Image.fromarray(array).save(tmp_path / "fetched" / f"{number}.png")
        return str(tmp_path / "fetched")

    monkeypatch.setattr(kagglehub, "dataset_download", download)
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "cat_faces").symlink_to(tmp_path / "an earlier download that was deleted")
    data = faces(tmp_path / "data" / "cat_faces", "data.download=true")
    data.prepare_data()
    assert asked == ["spandan2/cats-faces-64x64-for-generative-models"]
    tensors, _ = data.load()
    assert len(tensors["train_images"]) + len(tensors["test_images"]) == 20
    (tmp_path / "fetched" / "3.png").unlink()  # from now on it is a folder like any other
    data.prepare_data()
    tensors, _ = data.load()
    assert len(tensors["train_images"]) + len(tensors["test_images"]) == 19


def test_another_share_that_tests_is_another_cache(faces: Callable[..., CatFaces], tmp_path: Path) -> None:
    np.save(tmp_path / "faces.npy", pixels(50))
    found = []
    for given in ([], ["data.test_share=0"], ["data.test_share=0.2"], []):
        data = faces(tmp_path / "faces.npy", *given)
        data.prepare_data()
        found.append(len(data.load()[0]["test_images"]))
    assert found == [5, 0, 10, 5]
