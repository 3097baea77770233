"""Files and disks: a damaged cache, a folder that cannot be written, a full disk, a picture that is none."""

import errno
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Run = Callable[..., Any]


@pytest.fixture
def own_cache(data_dir: Path, trained: Any, tmp_path: Path) -> Path:
    """A copy of the tiny cache in a data folder of its own."""
    folder = tmp_path / "data"
    folder.mkdir()
    return Path(shutil.copy(data_dir / "clocks_32px_2160_seed0.safetensors", folder))


def parts_of(cache: bytes) -> tuple[dict[str, Any], bytes]:
    """The header of a file of safetensors, which writes its metadata in any order, and the tensors' bytes."""
    end = 8 + int.from_bytes(cache[:8], "little")
    return json.loads(cache[8:end]), cache[end:]


def test_a_damaged_cache_is_named_and_made_anew_on_request(
    run_verb: Run, tiny: list[str], own_cache: Path, refusal: Any
) -> None:
    """One flipped bit; tests/data/test_cache.py damages a file in other ways."""
    whole = own_cache.read_bytes()
    middle = len(whole) // 2
    own_cache.write_bytes(whole[:middle] + bytes([whole[middle] ^ 1]) + whole[middle + 1 :])
    here = {"DATA_DIR": str(own_cache.parent)}
    message = refusal(run_verb("train", *tiny, "callbacks=none", environment=here))
    assert message.startswith(f"{own_cache} is damaged")
    assert "data.rebuild=true" in message
    again = run_verb("train", *tiny, "callbacks=none", "data.rebuild=true", "trainer.max_epochs=1", environment=here)
    assert again.code == 0
    assert parts_of(own_cache.read_bytes()) == parts_of(whole)


def test_a_refused_run_says_so_in_its_manifest(run_verb: Run, tiny: list[str], own_cache: Path) -> None:
    own_cache.write_bytes(b"hello")
    outcome = run_verb("train", *tiny, "callbacks=none", environment={"DATA_DIR": str(own_cache.parent)})
    assert outcome.manifest["status"] == "failed"
    assert outcome.manifest["error"]["type"] == "InputError"
    assert str(own_cache) in outcome.manifest["error"]["message"]


@pytest.mark.parametrize("place", ["{tmp}/file/logs", "/proc/logs", "/dev/null"])
def test_a_log_folder_that_cannot_be_written_is_told(
    told: Callable[..., str], tiny: list[str], tmp_path: Path, place: str
) -> None:
    (tmp_path / "file").touch()
    logs = Path(place.format(tmp=tmp_path))
    message = told("train", *tiny, logs=logs)
    assert message.startswith(f"cannot write the run folder {logs}/runs/default/")
    assert "LOG_DIR" in message


@pytest.mark.parametrize("writer", ["torch.save", "os.fdopen"])
def test_a_disk_that_is_full_is_told(
    run_verb: Run, tiny: list[str], monkeypatch: pytest.MonkeyPatch, trained: Any, writer: str, refusal: Any
) -> None:
    """When the space runs out while a checkpoint, or the manifest, is written."""

    def full(*args: Any, **kwargs: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(writer, full)
    message = refusal(run_verb("train", *tiny, "callbacks=none"))
    assert "No space left on device" in message
    assert "LOG_DIR" in message


@pytest.mark.parametrize("name", ["a.png", "photos/"])
def test_a_picture_that_is_not_there_is_told(told: Callable[..., str], trained: Any, tmp_path: Path, name: str) -> None:
    message = told("predict", f"run={trained.folder}", f"inputs={tmp_path / name}")
    assert message.startswith(f"inputs: there is no file or folder {tmp_path / name}")


def test_a_file_that_is_no_picture_is_told(told: Callable[..., str], trained: Any, tmp_path: Path) -> None:
    (tmp_path / "a.png").write_text("no picture")
    message = told("predict", f"run={trained.folder}", f"inputs={tmp_path / 'a.png'}")
    assert message.startswith(f"inputs: {tmp_path / 'a.png'} is no image that can be read")


@pytest.mark.parametrize(
    "words",
    [
        ["data=image_folder", "data.images=nowhere", "network.num_classes=2"],
        ["experiment=clock_angles", "data=clocks_npy", "data.images=no.npy", "data.labels=no.npy"],
        ["experiment=dogs_vs_cats"],
    ],
    ids=["a folder", "arrays", "a download"],
)
def test_data_that_are_not_there_are_told_before_a_run_folder_is_made(
    told: Callable[..., str], tmp_path: Path, words: list[str]
) -> None:
    message = told("train", *words, f"paths.data={tmp_path}", logs=tmp_path / "logs")
    assert message.startswith("data")
    assert not list((tmp_path / "logs").glob("runs/*/*"))


@pytest.mark.parametrize("words", [["start.freeze=[featurs]"], ["network=vit", "network.heads=7"]], ids=str)
@pytest.mark.parametrize("sweep", [[], ["-m", "seed=0,1"]], ids=["a run", "a sweep"])
def test_what_a_network_refuses_is_told_before_a_run_folder_is_made(
    told: Callable[..., str], tmp_path: Path, words: list[str], sweep: list[str]
) -> None:
    message = told("train", *sweep, *words, logs=tmp_path / "logs")
    assert words[-1].partition("=")[0] in message
    assert not list((tmp_path / "logs").rglob("run.json"))
