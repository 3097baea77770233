"""Two processes at the first use of a data set, and what a killed one leaves behind."""

import multiprocessing
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from atelier.data import cache
from atelier.data.cache import NAMES, alone, part_of, read_cache, write_cache

Own = Callable[..., Any]
Paint = Callable[..., None]
FORK = multiprocessing.get_context("fork")


def tensors(value: int) -> dict[str, torch.Tensor]:
    kinds = {name: torch.uint8 if name.endswith("images") else torch.int64 for name in NAMES}
    return {name: torch.full((2, *[3] * name.endswith("images")), value, dtype=kind) for name, kind in kinds.items()}


def test_the_second_waits_for_the_first_and_makes_nothing(own: Own, pets: Path, tmp_path: Path) -> None:
    """As two jobs of a sweep do; torchvision's downloads would write into one file."""
    made, begun = tmp_path / "made", tmp_path / "begun"

    def prepare(data: Any) -> None:
        make = data.make

        def slowly() -> Any:
            with made.open("a") as file:
                file.write("once ")
            begun.touch()
            time.sleep(0.5)
            return make()

        data.make = slowly
        data.prepare_data()

    first = FORK.Process(target=prepare, args=(own(pets),))
    first.start()
    while not begun.exists():
        time.sleep(0.01)
    prepare(own(pets))
    first.join()
    assert (first.exitcode, made.read_text()) == (0, "once ")


def test_what_a_killed_process_was_writing_is_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "cats [2020]" / "set [1].safetensors"

    def killed(*given: Any, **options: Any) -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    def write() -> None:
        monkeypatch.setattr(cache, "save_file", killed)
        with alone(path):
            write_cache(path, tensors(1))

    process = FORK.Process(target=write)
    process.start()
    process.join()
    assert process.exitcode == -signal.SIGKILL
    left = [file for file in path.parent.iterdir() if file.name.startswith(part_of(path))]
    (other := path.parent / ".part.other.safetensors.x").touch()  # of another data set
    with alone(path):
        assert all(file.exists() for file in left), "another machine may be writing it"
    for file in (*left, other):
        os.utime(file, (0, 0))
    with alone(path):
        write_cache(path, tensors(2))
    assert [file.exists() for file in left] == [False]
    assert other.exists()
    assert read_cache(path)[0]["train_labels"].tolist() == [2, 2]


def test_a_cache_that_is_there_is_read_without_a_lock(own: Own, pets: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its folder may be a read-only one that many share."""
    own(pets).prepare_data()
    monkeypatch.setattr("atelier.data.images.alone", pytest.fail)
    own(pets).prepare_data()
