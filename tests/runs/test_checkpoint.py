"""Checkpoints are opened as tensors and plain data, or not at all."""

import errno
import pickle
import resource
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from atelier.errors import InputError
from atelier.runs.checkpoint import Straight, check_fits, open_checkpoint
from atelier.runs.folder import RunFolder
from atelier.runs.keeper import Keeper
from atelier.runs.run import Run


class Trap:
    """An object whose unpickling makes a file."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.file,)


def content(network: nn.Module) -> dict[str, Any]:
    config = {"network": {"_target_": "torch.nn.Linear"}}
    return {"state_dict": network.state_dict(), "config": config, "global_step": 7}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    file = tmp_path / "last.ckpt"
    torch.save(content(nn.Linear(2, 3)), file)
    return file


def refused(path: Path, message: str) -> None:
    with pytest.raises(InputError, match=message) as error:
        open_checkpoint(path)
    assert str(path) in str(error.value)
    assert len(str(error.value).splitlines()) <= 2


def test_a_checkpoint_of_tensors_and_plain_data_is_opened(path: Path) -> None:
    found = open_checkpoint(path)
    assert found["global_step"] == 7
    assert found["state_dict"]["weight"].shape == (3, 2)


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    refused(tmp_path / "last.ckpt", "there is no such checkpoint")


@pytest.mark.parametrize("kept", [0.0, 0.001, 0.1, 0.5, 0.9, 0.99])
def test_a_truncated_checkpoint_is_refused(path: Path, kept: float) -> None:
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * kept)])
    refused(path, "damaged or no checkpoint")


@pytest.mark.filterwarnings("ignore:Detected pickle protocol")
@given(st.binary(max_size=40))
def test_any_other_bytes_are_refused(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    file = tmp_path_factory.mktemp("bytes") / "last.ckpt"
    file.write_bytes(content)
    refused(file, "damaged or no checkpoint")


@pytest.mark.parametrize("content", [b"hello", b"<html>404</html>", b".", b"}.", b"N.", b"(.", b"h\x00."])
def test_texts_and_broken_pickles_are_refused(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    refused(path, "damaged or no checkpoint")


@pytest.mark.parametrize("foreign", [[1, 2], {"model": torch.ones(2)}, torch.ones(3), {"state_dict": {}}, None])
def test_another_programs_checkpoint_is_refused(path: Path, foreign: Any) -> None:
    torch.save(foreign, path)
    refused(path, "another program")


@pytest.mark.parametrize("place", ["config", "hyper_parameters"])
def test_a_pickled_object_does_not_run(path: Path, place: str) -> None:
    harm = path.with_name("harm")
    torch.save(content(nn.Linear(2, 3)) | {place: Trap(harm)}, path)
    refused(path, "more than tensors and plain data")
    assert not harm.exists()


def test_a_plain_pickle_does_not_run(path: Path) -> None:
    harm = path.with_name("harm")
    path.write_bytes(pickle.dumps({"config": Trap(harm)}, protocol=2))
    refused(path, "damaged|more than tensors")
    assert not harm.exists()


def test_the_trap_would_have_worked(tmp_path: Path) -> None:
    pickle.loads(pickle.dumps(Trap(tmp_path / "harm")))
    assert (tmp_path / "harm").exists()


def test_a_whole_pickled_network_is_refused(path: Path) -> None:
    torch.save(content(nn.Linear(2, 3)) | {"network": nn.Linear(2, 3)}, path)
    refused(path, "more than tensors and plain data")


def test_the_networks_own_checkpoint_fits(path: Path) -> None:
    check_fits(nn.Linear(2, 3), open_checkpoint(path), path)


@pytest.mark.parametrize(
    ("other", "told"),
    [
        (nn.Linear(2, 4), r"2 tensors differ,\nsuch as bias: \(3,\) in the checkpoint, \(4,\) in the network"),
        (nn.Linear(2, 3, bias=False), r"1 tensors differ,\nsuch as bias: \(3,\) in the checkpoint, missing in"),
        (nn.Sequential(nn.Linear(2, 3)), r"4 tensors differ,\nsuch as 0.bias: missing in the checkpoint"),
    ],
    ids=["another size", "no bias", "other names"],
)
def test_another_networks_checkpoint_names_what_differs(path: Path, other: nn.Module, told: str) -> None:
    with pytest.raises(InputError, match=told) as error:
        check_fits(other, open_checkpoint(path), path)
    assert str(path) in str(error.value)
    assert "torch.nn.Linear" in str(error.value)


@pytest.fixture
def small_files() -> Iterator[None]:
    """No file can grow beyond 20 kB, as on a disk that is nearly full."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.usefixtures("small_files")
def test_a_checkpoint_that_does_not_fit_is_told_with_its_path(tmp_path: Path) -> None:
    with pytest.raises(OSError, match=r"last\.part"):
        Straight().save_checkpoint({"state_dict": torch.zeros(10_000)}, tmp_path / "last.part")


def test_a_checkpoint_is_written_beside_its_target_and_nowhere_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "no such folder"))
    Straight().save_checkpoint({"config": {}, "state_dict": {"a": torch.ones(3)}}, tmp_path / "last.ckpt")
    assert open_checkpoint(tmp_path / "last.ckpt")["state_dict"]["a"].tolist() == [1, 1, 1]


def test_what_was_written_of_a_checkpoint_that_does_not_fit_is_removed(tmp_path: Path) -> None:
    def fail(path: Path, weights_only: bool) -> None:
        path.write_bytes(bytes(100))
        raise OSError(errno.ENOSPC, "No space left on device")

    folder = RunFolder(tmp_path)
    folder.best.parent.mkdir()
    folder.best.write_text("whole")
    keeper: Any = SimpleNamespace(folder=folder, saved=0.0)
    with pytest.raises(OSError, match="No space"):
        Keeper.save(keeper, SimpleNamespace(save_checkpoint=fail), folder.best)  # type: ignore[arg-type]
    assert [file.name for file in folder.best.parent.iterdir()] == ["best.ckpt"]
    assert folder.best.read_text() == "whole"


@pytest.mark.parametrize("kept", [True, False])
def test_a_run_whose_last_checkpoint_is_damaged_is_told_of_the_best_if_there_is_one(tmp_path: Path, kept: bool) -> None:
    folder = RunFolder(tmp_path / "my run")
    folder.last.parent.mkdir(parents=True)
    folder.last.write_bytes(b"damaged")
    if kept:
        folder.best.touch()
    run: Any = SimpleNamespace(folder=folder)
    with pytest.raises(InputError, match="is damaged") as caught:
        Run.step_of_last(run, nn.Linear(1, 1))  # type: ignore[arg-type]
    assert (f"cp '{folder.best}' '{folder.last}'" in str(caught.value)) is kept
