"""Files of weights: which are read, and which are refused, among them those of a stranger."""

import os
import shutil
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from atelier.errors import InputError
from atelier.start.weights import checksum_of, file_of, read_weights


def tensors() -> dict[str, Tensor]:
    return {"a.weight": torch.arange(6.0).reshape(2, 3), "a.bias": torch.ones(2, dtype=torch.bfloat16)}


def save_legacy(content: Any, path: Path) -> None:
    torch.save(content, path, _use_new_zipfile_serialization=False)


WRITERS: dict[str, Callable[[Path], None]] = {
    "plain.safetensors": lambda path: save_file(tensors(), path),
    "plain.pth": lambda path: torch.save(tensors(), path),
    "ordered.pt": lambda path: torch.save(OrderedDict(tensors()), path),
    "legacy.pth": lambda path: save_legacy(tensors(), path),
    "trainer.ckpt": lambda path: torch.save({"state_dict": tensors(), "epoch": 3}, path),
    "model.tar": lambda path: torch.save({"model": tensors(), "lr": 0.1}, path),
}


@pytest.mark.parametrize("name", WRITERS)
def test_the_tensors_of_a_file_are_read_and_have_one_checksum_in_any_format(tmp_path: Path, name: str) -> None:
    WRITERS[name](tmp_path / name)
    save_file(tensors(), tmp_path / "same.safetensors")
    found = read_weights(tmp_path / name)
    assert found.keys() == tensors().keys()
    assert all(torch.equal(found[key], value) for key, value in tensors().items())
    assert checksum_of(tmp_path / name) == checksum_of(tmp_path / "same.safetensors")


CHANGES: dict[str, Callable[[dict[str, Tensor]], object]] = {
    "a value": lambda one: one["a.weight"].add_(1e-6),
    "a name": lambda one: one.update({"b.bias": one.pop("a.bias")}),
    "a shape": lambda one: one.update({"a.weight": one["a.weight"].reshape(3, 2)}),
    "a type": lambda one: one.update({"a.weight": one["a.weight"].view(torch.int32)}),  # of equal bytes
}


@pytest.mark.parametrize("change", CHANGES)
def test_the_checksum_tells_files_apart(tmp_path: Path, change: str) -> None:
    changed = tensors()
    CHANGES[change](changed)
    for name, content in (("a", tensors()), ("b", changed)):
        save_file(content, tmp_path / f"{name}.safetensors")
    assert checksum_of(tmp_path / "a.safetensors") != checksum_of(tmp_path / "b.safetensors")


def test_a_file_that_changes_in_its_place_has_another_checksum(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    save_file(tensors(), path)
    before = checksum_of(path)
    save_file({"a.weight": torch.ones(9)}, path)
    assert checksum_of(path) != before


# ---------------------------------------------------------------------- refused


class Harm:
    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> Any:
        return Path.touch, (self.marker,)


@pytest.mark.parametrize("legacy", [False, True])
def test_a_strangers_file_runs_nothing(tmp_path: Path, legacy: bool) -> None:
    marker, path = tmp_path / "executed", tmp_path / "weights.pth"
    (save_legacy if legacy else torch.save)({**tensors(), "x": Harm(marker)}, path)
    with pytest.raises(InputError, match=r"so it is not opened|is damaged"):
        read_weights(path)
    assert not marker.exists()


WRONG: dict[str, Callable[[Path], object]] = {
    "no pickle.pth": lambda path: path.write_bytes(b"hello"),
    "empty.ckpt": lambda path: path.touch(),
    "no.safetensors": lambda path: path.write_bytes(b"hello"),
    "a pickle.safetensors": lambda path: torch.save(tensors(), path),
    "cut.safetensors": lambda path: path.write_bytes(written(path)[:-5]),
    "endless.safetensors": lambda path: path.write_bytes((2**60).to_bytes(8, "little") + b"{}"),
    "a list.pth": lambda path: torch.save([1, 2], path),
    "no tensors.pth": lambda path: torch.save({"state_dict": {"a": 1}}, path),
    "numbered.pth": lambda path: torch.save({0: torch.ones(1)}, path),
    "sparse.pth": lambda path: torch.save({"a": torch.eye(3).to_sparse()}, path),
    "without values.pth": lambda path: torch.save({"a": torch.empty(3, device="meta")}, path),
    "expanding.pth": lambda path: torch.save({"a": torch.ones(1).expand(10**12)}, path),
}


def written(path: Path) -> bytes:
    save_file(tensors(), path)
    return path.read_bytes()


@pytest.mark.filterwarnings("ignore:.*sparse.*:UserWarning")
@pytest.mark.parametrize("name", WRONG)
def test_a_file_that_holds_no_weights_is_refused_in_a_line(tmp_path: Path, name: str) -> None:
    WRONG[name](tmp_path / name)
    with pytest.raises(InputError) as told:
        read_weights(tmp_path / name)
    assert str(told.value).startswith(str(tmp_path / name))
    assert len(str(told.value).splitlines()) == 1


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.pth")
    (tmp_path / "circle").symlink_to("circle")
    for path in (tmp_path / "pipe.pth", tmp_path / "circle", tmp_path / "nothing", Path("/dev/zero")):
        with pytest.raises(InputError, match="there is no such file"):
            file_of(str(path), tmp_path)


# ---------------------------------------------------------------------- runs


def test_of_a_run_the_best_checkpoint_is_named_and_without_one_the_last(trained: Any, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(trained.folder, tmp_path / "runs" / "default" / "a"))
    assert file_of(str(folder), tmp_path) == file_of("latest", tmp_path) == folder / "checkpoints" / "best.ckpt"
    (folder / "checkpoints" / "best.ckpt").unlink()
    assert file_of(str(folder), tmp_path).name == "last.ckpt"
    (folder / "checkpoints" / "last.ckpt").unlink()
    with pytest.raises(InputError, match="has no checkpoint"):
        file_of(str(folder), tmp_path)


def test_a_folder_without_a_run_and_a_run_with_a_link_out_of_it_are_refused(trained: Any, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is no run folder"):
        file_of(str(tmp_path), tmp_path)
    folder = Path(shutil.copytree(trained.folder, tmp_path / "run"))
    best = folder / "checkpoints" / "best.ckpt"
    shutil.move(best, tmp_path / "elsewhere")
    best.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(InputError, match="is a link"):
        file_of(str(folder), tmp_path)
