"""torchvision's sets: read or fetched, in gray; what is missing or damaged is told."""

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

from atelier.data import vision
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
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise URLError("no route to host")

    monkeypatch.setattr("urllib.request.urlopen", refuse)


@pytest.mark.usefixtures("offline")
def test_files_that_are_there_are_read_without_a_network(make: Make, tmp_path: Path, ready: Make) -> None:
    write_mnist(tmp_path / "MNIST" / "raw")
    data = make("mnist", "data.mean=0.392", "data.std=0.01")
    data.check_source()
    ready(data)
    assert [len(data.sets[split]) for split in ("train", "val", "test")] == [54_000, 6_000, 10_000]
    assert data.sets["train"].inputs.unique().tolist() == [100]
    assert data.classes == list("0123456789")


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
