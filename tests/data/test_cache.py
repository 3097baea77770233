"""The cache file: what is written is read, and anything else is refused with a way out."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from atelier.data import cache
from atelier.data.cache import checksum_of_places, read_cache, write_cache
from atelier.errors import InputError


def tensors() -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(0)
    return {
        "train_images": torch.randint(0, 256, (6, 1, 4, 4), dtype=torch.uint8, generator=generator),
        "train_labels": torch.randint(0, 60, (6, 2), generator=generator),
        "test_images": torch.randint(0, 256, (2, 1, 4, 4), dtype=torch.uint8, generator=generator),
        "test_labels": torch.randint(0, 60, (2, 2), generator=generator),
    }


@pytest.fixture
def path(tmp_path: Path) -> Path:
    file = tmp_path / "folder" / "clocks.safetensors"
    write_cache(file, tensors())
    return file


def refused(path: Path, reason: str = "is damaged") -> None:
    """Reading says which file is damaged and how to make it anew."""
    with pytest.raises(InputError, match=reason) as error:
        read_cache(path)
    assert str(path) in str(error.value)
    assert "data.rebuild=true" in str(error.value)


def test_what_is_written_is_read(path: Path) -> None:
    found, classes = read_cache(path)
    assert classes is None
    assert found.keys() == tensors().keys()
    assert all(torch.equal(found[name], tensor) for name, tensor in tensors().items())


def test_class_names_are_kept(tmp_path: Path) -> None:
    write_cache(tmp_path / "x.safetensors", tensors(), ["Stiefelette", "Öse"])
    assert read_cache(tmp_path / "x.safetensors")[1] == ["Stiefelette", "Öse"]


def test_tensors_that_are_no_block_of_memory_can_be_written(tmp_path: Path) -> None:
    strided = tensors()
    strided["train_images"] = strided["train_images"].transpose(2, 3)
    write_cache(tmp_path / "x.safetensors", strided)
    assert torch.equal(read_cache(tmp_path / "x.safetensors")[0]["train_images"], strided["train_images"])


def test_a_test_set_that_is_the_training_set_can_be_written(tmp_path: Path) -> None:
    file, given = tmp_path / "same.safetensors", tensors()
    given |= {"test_images": given["train_images"], "test_labels": given["train_labels"]}
    write_cache(file, given)
    assert torch.equal(read_cache(file)[0]["test_images"], given["train_images"])


def test_nothing_but_the_file_is_left_behind(path: Path) -> None:
    assert list(path.parent.iterdir()) == [path]


def test_others_may_read_the_file(path: Path) -> None:
    assert path.stat().st_mode & 0o777 == 0o644


def test_a_write_that_fails_leaves_the_old_file(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = path.read_bytes()

    def half(content: object, file: str, metadata: object) -> None:
        Path(file).write_bytes(before[: len(before) // 2])
        raise OSError("no space left")

    monkeypatch.setattr(cache, "save_file", half)
    with pytest.raises(InputError, match=rf"^{path} cannot be written: no space left .*DATA_DIR"):
        write_cache(path, tensors())
    assert path.read_bytes() == before
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("kept", [0.0, 0.1, 0.5, 0.99])
def test_a_truncated_file_is_refused(path: Path, kept: float) -> None:
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * kept)])
    refused(path)


@pytest.mark.parametrize("bit", [1, 64, 128])
def test_a_flipped_bit_of_the_data_is_noticed(path: Path, bit: int) -> None:
    content = bytearray(path.read_bytes())
    content[-5] ^= bit
    path.write_bytes(content)
    refused(path, "checksum")


@pytest.mark.parametrize("bit", [1, 2, 64])
def test_a_flipped_bit_anywhere_is_noticed_or_harmless(path: Path, bit: int) -> None:
    content = path.read_bytes()
    for position in range(len(content)):
        damaged = bytearray(content)
        damaged[position] ^= bit
        path.write_bytes(damaged)
        try:
            found, _ = read_cache(path)
        except InputError:
            continue
        assert all(torch.equal(found[name], tensor) for name, tensor in tensors().items())


def test_a_foreign_file_is_refused(path: Path) -> None:
    path.write_text("<html>404 Not Found</html>")
    refused(path)


def test_missing_tensors_are_named(path: Path) -> None:
    save_file({"train_images": tensors()["train_images"], "train_labels": tensors()["train_labels"]}, path)
    refused(path, "lacks test_images, test_labels")


@pytest.mark.parametrize(
    ("name", "changed"),
    [
        ("train_images", tensors()["train_images"].float()),
        ("train_labels", tensors()["train_labels"].int()),
        ("test_labels", tensors()["test_labels"][:1]),
    ],
    ids=["float images", "short labels", "too few labels"],
)
def test_other_contents_are_neither_read_nor_written(tmp_path: Path, path: Path, name: str, changed: Tensor) -> None:
    """A data set of one's own hears of it when it makes them, and no file is left that is called damaged."""
    save_file(tensors() | {name: changed}, path)
    refused(path, name)
    with pytest.raises(InputError, match=rf"^mine: .*make\(\).*{name}"):
        write_cache(tmp_path / "mine.safetensors", tensors() | {name: changed})
    assert not (tmp_path / "mine.safetensors").exists()


def test_a_missing_tensor_is_not_written(tmp_path: Path) -> None:
    given = {name: tensor for name, tensor in tensors().items() if name != "test_labels"}
    with pytest.raises(InputError, match=r"^mine: .*test_labels"):
        write_cache(tmp_path / "mine.safetensors", given)


def test_files_that_move_with_the_caches_folder_stay_in_their_place(tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    assert checksum_of_places(first, first / "a.npy") == checksum_of_places(second, second / "a.npy")
    outside = [checksum_of_places(first, place / "a.npy") for place in (first, second, tmp_path)]
    assert len(set(outside)) == 3
