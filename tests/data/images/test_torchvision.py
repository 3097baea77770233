"""torchvision's sets: read or fetched, in gray; what is missing or damaged is told."""

import functools
import gzip
import struct
import threading
from collections.abc import Callable
from email.message import Message
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.request import Request

import numpy as np
import pytest
import torch

from atelier.data import cache, vision
from atelier.data.images import ImageData
from atelier.data.vision import gray28
from atelier.errors import InputError

Make = Callable[..., ImageData]


def write_mnist(folder: Path, train: int = 60_000, test: int = 10_000, cut: int = 0) -> None:
    """Files of MNIST's format with pictures of one grey, the last bytes of the training pictures cut off."""
    folder.mkdir(parents=True)
    for name, count in (("train", train), ("t10k", test)):
        pictures = struct.pack(">IIII", 2051, count, 28, 28) + bytes([100]) * (count * 784)
        (folder / f"{name}-images-idx3-ubyte").write_bytes(pictures[: len(pictures) - cut])
        labels = struct.pack(">II", 2049, count) + (np.arange(count) % 10).astype(np.uint8).tobytes()
        (folder / f"{name}-labels-idx1-ubyte").write_bytes(labels)


@pytest.fixture
def unpublished(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files that the test makes up may be read."""
    monkeypatch.setattr(vision, "CRC32", {})


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise URLError("no route to host")

    monkeypatch.setattr("urllib.request.urlopen", refuse)


@pytest.mark.usefixtures("offline", "unpublished")
def test_files_that_are_there_are_read_without_a_network(make: Make, tmp_path: Path, ready: Make) -> None:
    write_mnist(tmp_path / "MNIST" / "raw")
    data = make("mnist", "data.mean=0.392", "data.std=0.01")
    data.check_source()
    ready(data)
    assert [len(data.sets[split]) for split in ("train", "val", "test")] == [54_000, 6_000, 10_000]
    assert data.sets["train"].inputs.unique().tolist() == [100]
    assert data.classes == list("0123456789")


def test_a_server_that_refuses_the_question_is_there(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(request: Request, timeout: float) -> None:
        raise HTTPError(request.full_url, 403, "forbidden", Message(), None)

    monkeypatch.setattr("urllib.request.urlopen", refuse)
    make("mnist").check_source()


@pytest.mark.usefixtures("offline")
@pytest.mark.parametrize("name", ["mnist", "fashion_mnist", "cifar10", "cifar10_gray28"])
def test_a_set_that_cannot_be_fetched_is_told(make: Make, tmp_path: Path, name: str) -> None:
    data = make(name)
    for ask in (data.check_source, data.prepare_data):
        with pytest.raises(InputError) as told:
            ask()
        message = str(told.value)
        assert f"looked for {tmp_path}" in message
        assert message.startswith(f"data={name} ")
        assert "data=digits" in message
        assert ":)" not in message
        assert len(message.splitlines()) == 2


@pytest.mark.usefixtures("offline")
def test_the_empty_folder_of_a_failed_download_is_no_data_set(make: Make, tmp_path: Path) -> None:
    (tmp_path / "MNIST" / "raw").mkdir(parents=True)
    with pytest.raises(InputError, match="data=mnist is not here, and its server does not answer"):
        make("mnist").check_source()


@pytest.mark.usefixtures("offline")
def test_a_file_that_ends_too_early_is_told(make: Make, tmp_path: Path) -> None:
    write_mnist(tmp_path / "MNIST" / "raw", cut=1000)
    with pytest.raises(InputError, match="damaged or only half there"):
        make("mnist").prepare_data()
    assert not list(tmp_path.glob("*.safetensors"))


@pytest.mark.usefixtures("offline")
def test_a_set_with_too_few_images_is_told(make: Make, tmp_path: Path) -> None:
    write_mnist(tmp_path / "MNIST" / "raw", train=100)
    with pytest.raises(InputError, match="100 train images, not 60000"):
        make("mnist").prepare_data()


def shuffle(files: dict[str, bytes]) -> None:
    labels = files["train-labels-idx1-ubyte"]
    files["train-labels-idx1-ubyte"] = labels[:8] + labels[:7:-1]


def pierce(files: dict[str, bytes]) -> None:
    images = files["train-images-idx3-ubyte"]
    files["train-images-idx3-ubyte"] = images[:16] + bytes(20_000) + images[20_016:]


def exchange(files: dict[str, bytes]) -> None:
    for name in files:
        if "images" in name:
            files[name] = files[name].replace(bytes([100]), bytes([90]))


@pytest.mark.usefixtures("offline")
@pytest.mark.parametrize(
    ("damage", "whose"),
    [(shuffle, "nothing that was published"), (pierce, "nothing that was published"), (exchange, "fashion_mnist")],
)
def test_files_of_another_content_are_told(
    make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, damage: Callable[..., None], whose: str
) -> None:
    """Of the right size and format: labels in another order, a hole, another set's files."""
    known: dict[str, int] = {}
    monkeypatch.setattr(vision, "CRC32", known)
    for name, folder in (("mnist", "MNIST"), ("fashion_mnist", "FashionMNIST")):
        monkeypatch.setitem(vision.SETS, name, (*vision.SETS[name][:2], (90, 10)))
        write_mnist(tmp_path / folder / "raw", 90, 10)
        if name == "fashion_mnist":
            for file in (tmp_path / folder / "raw").glob("*images*"):
                file.write_bytes(file.read_bytes().replace(bytes([100]), bytes([90])))
        known[name] = cache.checksum(make(name).make()[0])
    data = make("mnist")
    data.prepare_data()
    raw = tmp_path / "MNIST" / "raw"
    files = {file.name: file.read_bytes() for file in raw.iterdir()}
    damage(files)
    for name, content in files.items():
        (raw / name).write_bytes(content)
    with pytest.raises(InputError, match=f"raw is damaged .*its images and labels are those of {whose}"):
        data.make()
    made = known.pop("mnist")
    make("mnist", "data.rebuild=true").prepare_data()  # as before files were checked
    known["mnist"] = made
    with pytest.raises(InputError, match=whose):
        make("mnist").prepare_data()


@pytest.mark.usefixtures("unpublished")
def test_a_download_is_done_by_torchvision(make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its own download, from a server on this machine."""
    write_mnist(tmp_path / "files")
    for file in (tmp_path / "files").iterdir():
        file.with_name(f"{file.name}.gz").write_bytes(gzip.compress(file.read_bytes(), 1))
    handler = functools.partial(SimpleHTTPRequestHandler, directory=str(tmp_path / "files"))
    monkeypatch.setattr(SimpleHTTPRequestHandler, "log_message", lambda *_: None)
    monkeypatch.setattr(vision.reachable, "__defaults__", (600.0,))  # seconds that the server has for its answer
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
