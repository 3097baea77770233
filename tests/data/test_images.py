"""Sets of images: fetched, read from folders, made up; what is missing or damaged is told."""

import functools
import gzip
import struct
import threading
from collections.abc import Callable
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.error import URLError

import numpy as np
import pytest
import torch
from omegaconf import DictConfig
from PIL import Image

from atelier.compose.targets import build
from atelier.data import vision
from atelier.data.images import ImageData
from atelier.data.vision import gray28
from atelier.errors import InputError

Compose = Callable[..., DictConfig]


@pytest.fixture
def make(compose: Compose, tmp_path: Path) -> Callable[..., ImageData]:
    """`make("digits", "data.fold=1")`: the data set, its files under `tmp_path`."""
    return lambda name, *overrides: build(compose(f"data={name}", f"paths.data={tmp_path}", *overrides).data)


def ready(data: ImageData) -> ImageData:
    data.prepare_data()
    data.setup()
    return data


def save(path: Path, value: int, size: tuple[int, int] = (8, 8)) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, (value, value, value)).save(path)


# ---------------------------------------------------------------------- digits


def test_the_digits_are_scikit_learns(make: Callable[..., ImageData]) -> None:
    from sklearn.datasets import load_digits

    data = ready(make("digits"))
    images = torch.cat([data.sets["train"].inputs, data.sets["test"].inputs])
    labels = torch.cat([data.sets["train"].labels, data.sets["test"].labels])
    assert images.shape == (1797, 1, 8, 8)
    assert labels.bincount().tolist() == np.bincount(load_digits().target).tolist()
    theirs = torch.from_numpy(load_digits().images).sum(0)
    assert (images.double().sum(0)[0] * 16 / 255 - theirs).abs().max() < 0.02 * 1797
    assert data.classes == list("0123456789")


def test_training_validation_and_test_digits_share_no_row(make: Callable[..., ImageData]) -> None:
    data = ready(make("digits"))
    train, val = set(data.sets["train"].rows.tolist()), set(data.sets["val"].rows.tolist())
    assert not train & val
    assert len(train | val) == 1797 - len(data.sets["test"])


# ---------------------------------------------------------------------- options common to all


def test_folds_part_the_training_set(make: Callable[..., ImageData]) -> None:
    parts = [ready(make("digits", "data.folds=3", f"data.fold={fold}")).sets for fold in range(3)]
    inside = torch.cat([sets["val"].rows for sets in parts])
    assert inside.sort().values.tolist() == list(range(len(parts[0]["train"]) + len(parts[0]["val"])))
    for sets in parts:
        assert not set(sets["train"].rows.tolist()) & set(sets["val"].rows.tolist())
        counts = sets["val"].labels[sets["val"].rows].bincount()
        everything = sets["val"].labels.bincount() / 3
        assert ((counts - everything).abs() < 1).all()


@pytest.mark.parametrize("given", ["data.folds=1", "data.folds=3 data.fold=3", "data.folds=3 data.fold=-1"])
def test_a_fold_that_does_not_exist_is_told(make: Callable[..., ImageData], given: str) -> None:
    with pytest.raises(InputError, match="give 2 folds or more, and a fold from 0 to folds - 1"):
        make("digits", *given.split())


def test_a_subset_keeps_the_shares_of_the_classes_and_the_validation_set(make: Callable[..., ImageData]) -> None:
    whole, part = ready(make("digits")), ready(make("digits", "data.train_size=100"))
    assert len(part.sets["train"]) == 100
    assert set(part.sets["train"].rows.tolist()) <= set(whole.sets["train"].rows.tolist())
    assert torch.equal(part.sets["val"].rows, whole.sets["val"].rows)
    assert part.sets["train"].labels[part.sets["train"].rows].bincount().tolist() == pytest.approx([10] * 10, abs=1)


@pytest.mark.parametrize("size", [0, 5000])
def test_a_subset_larger_than_the_set_is_told(make: Callable[..., ImageData], size: int) -> None:
    with pytest.raises(InputError, match=rf"data.train_size={size}: give 1 to 1150"):
        ready(make("digits", f"data.train_size={size}"))


def test_without_a_share_the_whole_set_trains(make: Callable[..., ImageData]) -> None:
    data = ready(make("digits", "data.validation_share=0"))
    assert len(data.sets["train"]) == len(data.sets["val"]) == 1438


# ---------------------------------------------------------------------- made up


def test_a_made_up_set_has_the_real_ones_shape_and_classes(
    compose: Compose, context: Callable[[str, str], list[str]], tmp_path: Path, data_option: str
) -> None:
    config = compose(*context("data", data_option), f"data={data_option}", f"paths.data={tmp_path}")
    if "source" not in config.data:
        pytest.skip(f"data={data_option} is generated anyway")
    config.data.source = "fake"
    data = build(config.data)
    data.check_source()
    data = ready(data)
    stored, labels = next(iter(data.loader("train", train=True)))
    inputs, _ = data.on_after_batch_transfer((stored, labels), 0)
    assert stored.dtype == torch.uint8
    assert tuple(inputs.shape[1:]) == tuple(config.data.shape)
    if config.data.get("num_classes"):
        assert 0 <= labels.min() <= labels.max() < config.data.num_classes
    assert not list(tmp_path.rglob("*.safetensors")), "nothing made up is kept"


def test_a_run_on_made_up_data_says_so(run_verb: Callable[..., Any]) -> None:
    outcome = run_verb("train", "data=mnist", "data.source=fake", "debug=fast", "trainer=cpu", "callbacks=none")
    assert outcome.code == 0, outcome.err
    assert outcome.manifest["source"] == "fake"
    assert "data.source=fake" in outcome.out


def test_an_unknown_source_is_told(make: Callable[..., ImageData]) -> None:
    with pytest.raises(InputError, match=r"data.source=faked: choose from: real, fake"):
        make("digits", "data.source=faked")


# ---------------------------------------------------------------------- torchvision's


def write_mnist(folder: Path, train: int = 60_000, test: int = 10_000, cut: int = 0) -> None:
    """Files of MNIST's format with pictures of one grey, the last bytes of the training pictures cut off."""
    folder.mkdir(parents=True)
    for name, count in (("train", train), ("t10k", test)):
        pictures = struct.pack(">IIII", 2051, count, 28, 28) + bytes([100]) * (count * 784)
        (folder / f"{name}-images-idx3-ubyte").write_bytes(pictures[: len(pictures) - cut])
        labels = struct.pack(">II", 2049, count) + (np.arange(count) % 10).astype(np.uint8).tobytes()
        (folder / f"{name}-labels-idx1-ubyte").write_bytes(labels)


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise URLError("no route to host")

    monkeypatch.setattr("urllib.request.urlopen", refuse)


@pytest.mark.usefixtures("offline")
def test_files_that_are_there_are_read_without_a_network(make: Callable[..., ImageData], tmp_path: Path) -> None:
    write_mnist(tmp_path / "MNIST" / "raw")
    data = make("mnist", "data.mean=0.392", "data.std=0.01")
    data.check_source()
    ready(data)
    assert [len(data.sets[split]) for split in ("train", "val", "test")] == [54_000, 6_000, 10_000]
    assert data.sets["train"].inputs.unique().tolist() == [100]
    assert data.classes == list("0123456789")


@pytest.mark.usefixtures("offline")
@pytest.mark.parametrize("name", ["mnist", "fashion_mnist", "cifar10", "cifar10_gray28"])
def test_a_set_that_cannot_be_fetched_is_told(make: Callable[..., ImageData], tmp_path: Path, name: str) -> None:
    data = make(name)
    for ask in (data.check_source, data.prepare_data):
        with pytest.raises(InputError) as told:
            ask()
        message = str(told.value)
        assert f"looked for {tmp_path}" in message
        assert "data=digits, data=clocks" in message
        assert len(message.splitlines()) == 2


@pytest.mark.usefixtures("offline")
def test_a_file_that_ends_too_early_is_told(make: Callable[..., ImageData], tmp_path: Path) -> None:
    write_mnist(tmp_path / "MNIST" / "raw", cut=1000)
    with pytest.raises(InputError, match="damaged or only half there"):
        make("mnist").prepare_data()
    assert not list(tmp_path.glob("*.safetensors"))


@pytest.mark.usefixtures("offline")
def test_a_set_with_too_few_images_is_told(make: Callable[..., ImageData], tmp_path: Path) -> None:
    write_mnist(tmp_path / "MNIST" / "raw", train=100)
    with pytest.raises(InputError, match="100 train images, not 60000"):
        make("mnist").prepare_data()


def test_a_download_is_done_by_torchvision(
    make: Callable[..., ImageData], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its own download, from a server on this machine."""
    write_mnist(tmp_path / "files")
    for file in (tmp_path / "files").iterdir():
        file.with_name(f"{file.name}.gz").write_bytes(gzip.compress(file.read_bytes(), 1))
    handler = functools.partial(SimpleHTTPRequestHandler, directory=str(tmp_path / "files"))
    monkeypatch.setattr(SimpleHTTPRequestHandler, "log_message", lambda *_: None)
    reader = vision.SETS["mnist"][0]
    monkeypatch.setattr(reader, "resources", [(name, None) for name, _ in reader.resources])
    data = make("mnist", "data.mean=0.392", "data.std=0.01")
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setattr(reader, "mirrors", [f"http://127.0.0.1:{server.server_port}/"])
        data.check_source()
        data.prepare_data()
        server.shutdown()
    data.setup()
    assert len(data.sets["test"]) == 10_000


def test_gray_is_the_luminance() -> None:
    colours = torch.tensor([[255, 0, 0], [0, 255, 0], [0, 0, 255], [255, 255, 255], [10, 20, 30]], dtype=torch.uint8)
    images = colours[:, :, None, None].expand(-1, -1, 32, 32)
    gray = gray28(images)
    assert gray.shape == (5, 1, 28, 28)
    assert gray[:, 0, 14, 14].tolist() == [76, 150, 29, 255, 18]
    assert (gray.flatten(1).min(1).values == gray.flatten(1).max(1).values).all()


# ---------------------------------------------------------------------- folders of images


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Twenty pictures of each class; a picture's grey is its class's."""
    for grey, name in ((10, "ants"), (200, "bees")):
        for number in range(20):
            save(tmp_path / "pictures" / name / f"{number}.png", grey, (20, 12))
    (tmp_path / "pictures" / "ants" / "notes.txt").write_text("no picture")
    return tmp_path / "pictures"


FLAT = ["data.shape=[3,8,8]", "data.mean=0.41", "data.std=0.37"]


def test_a_folder_of_class_folders_is_read(make: Callable[..., ImageData], folder: Path) -> None:
    data = ready(make("image_folder", f"data.images={folder}", "data.test_share=0.2", *FLAT))
    assert data.classes == ["ants", "bees"]
    assert data.num_classes == 2
    assert len(data.sets["test"]) == 8
    for split in data.sets.values():
        images, labels = split[torch.arange(len(split))]
        assert images[:, 0, 0, 0].tolist() == [10 if label == 0 else 200 for label in labels]
        assert abs(labels.bincount()[0] - labels.bincount()[1]) <= 1


def test_folders_of_training_and_test_images_stay_apart(make: Callable[..., ImageData], tmp_path: Path) -> None:
    for split, grey in (("train", 10), ("test", 200)):
        for name in ("ants", "bees"):
            for number in range(10):
                save(tmp_path / "both" / split / name / f"{number}.png", grey)
    data = ready(make("image_folder", f"data.images={tmp_path}/both", "data.mean=0.04", "data.std=0.01", FLAT[0]))
    assert data.sets["test"].inputs.unique().tolist() == [200]
    assert data.sets["train"].inputs.unique().tolist() == [10]


def test_one_class_of_a_folder_can_be_taken(make: Callable[..., ImageData], folder: Path) -> None:
    given = [f"data.images={folder}", "data.classes=[bees]", "data.shape=[3,8,8]", "data.mean=0.784", "data.std=0.01"]
    data = ready(make("image_folder", *given))
    assert data.classes == ["bees"]
    assert data.num_classes == 1
    assert data.sets["train"].inputs.unique().tolist() == [200]


def test_a_changed_folder_is_read_anew(make: Callable[..., ImageData], folder: Path) -> None:
    before = ready(make("image_folder", f"data.images={folder}", *FLAT))
    path = before.path
    save(folder / "ants" / "new.png", 10)
    after = ready(make("image_folder", f"data.images={folder}", *FLAT))
    assert path != after.path
    count = [sum(map(len, data.sets.values())) for data in (before, after)]
    assert count == [40, 41]


@pytest.mark.parametrize(
    ("changes", "start"),
    [
        (["data.images={folder}/nowhere", "data.classes=[a]"], "data.images={folder}/nowhere: there is no such folder"),
        (["data.images={folder}", "data.classes=[wasps]"], "data.classes=['wasps']: {folder} has ants, bees"),
        (["data.images={folder}/ants", "data.classes=[]"], "data.images={folder}/ants: no images in folders named"),
    ],
)
def test_a_folder_without_what_is_needed_is_told(
    make: Callable[..., ImageData], folder: Path, changes: list[str], start: str
) -> None:
    data = make("image_folder", *(change.format(folder=folder) for change in changes), *FLAT)
    with pytest.raises(InputError) as told:
        data.check_source()
    assert str(told.value).startswith(start.format(folder=folder))


def test_a_broken_image_is_named(make: Callable[..., ImageData], folder: Path) -> None:
    (folder / "bees" / "broken.jpg").write_bytes(b"no picture")
    with pytest.raises(InputError, match=r"broken.jpg is no image"):
        make("image_folder", f"data.images={folder}", *FLAT).prepare_data()


# ---------------------------------------------------------------------- dogs and cats


def test_kaggles_flat_folder_is_read_in_the_order_of_its_numbers(
    make: Callable[..., ImageData], tmp_path: Path
) -> None:
    for name, grey in (("cat", 50), ("dog", 150)):
        for number in range(12):
            save(tmp_path / "dogs_vs_cats" / "train" / f"{name}.{number}.jpg", grey + number)
    (tmp_path / "dogs_vs_cats" / "test1").mkdir()
    data = make("dogs_vs_cats")
    files = [file.name for file, _ in data.files()["train"]]  # type: ignore[attr-defined]
    assert files == [f"{name}.{number}.jpg" for name in ("cat", "dog") for number in range(12)]
    assert data.make()[1] == ["cat", "dog"]


def test_dogs_and_cats_that_are_not_there_are_told(make: Callable[..., ImageData], tmp_path: Path) -> None:
    with pytest.raises(InputError, match=rf"there is no folder {tmp_path}/dogs_vs_cats. Put the photographs there"):
        make("dogs_vs_cats").check_source()


def test_a_download_that_fails_is_told(make: Callable[..., ImageData], monkeypatch: pytest.MonkeyPatch) -> None:
    import kagglehub

    def refuse(name: str) -> str:
        raise PermissionError(f"you have not joined {name}")

    monkeypatch.setattr(kagglehub, "competition_download", refuse)
    with pytest.raises(InputError, match=r"Kaggle gave nothing .*you have not joined dogs-vs-cats"):
        make("dogs_vs_cats", "data.download=true").prepare_data()


def test_a_download_is_put_where_the_folder_is_looked_for(
    make: Callable[..., ImageData], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import zipfile

    import kagglehub

    for name in ("cat", "dog"):
        for number in range(12):
            save(tmp_path / "server" / "train" / f"{name}.{number}.jpg", 100)
    (tmp_path / "fetched").mkdir()
    with zipfile.ZipFile(tmp_path / "fetched" / "train.zip", "w") as archive:
        for file in sorted((tmp_path / "server").rglob("*.jpg")):
            archive.write(file, file.relative_to(tmp_path / "server"))
    monkeypatch.setattr(kagglehub, "competition_download", lambda name: str(tmp_path / "fetched"))
    data = ready(make("dogs_vs_cats", "data.download=true", "data.mean=0.39", "data.std=0.01", "data.shape=[3,8,8]"))
    assert sum(map(len, data.sets.values())) == 24
