"""Data that change after a training: the cache follows them, a run refuses them, and no image changes its part."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from atelier.compose.targets import build
from atelier.data.account import checksum_of
from atelier.data.cache import checksum
from atelier.errors import InputError

Own = Callable[..., Any]
Paint = Callable[..., None]


def opened(data: Any) -> Any:
    data.prepare_data()
    data.setup()
    return data


def parts(data: Any) -> dict[str, str]:
    """{name of a file: the part that it is in}."""
    names = data.about["files"]
    placed = dict.fromkeys(names["test"], "test")
    for split in ("train", "val"):
        placed |= {names["train"][row]: split for row in data.sets[split].rows}
    return placed


@pytest.mark.parametrize("how", [{}, {"folds": 3, "fold": 1}, {"test_share": 0.5, "validation_share": 0.5}])
def test_an_image_that_is_added_moves_no_other(own: Own, pets: Path, paint: Paint, how: dict[str, Any]) -> None:
    before = parts(opened(own(pets, **how)))
    for number in range(10, 14):
        paint(pets / "cat" / f"{number}.png", number)
        after = parts(opened(own(pets, **how)))
        moved = [name for name in before if before[name] == "train" != after[name]]
        assert not moved, "what was trained on is not tested on"
        assert len(after) == len(before) + 1
        before = after


def test_an_image_that_goes_moves_no_other(own: Own, pets: Path) -> None:
    before = parts(opened(own(pets, test_share=0.3, validation_share=0.3)))
    (pets / "dog" / "3.png").unlink()
    after = parts(opened(own(pets, test_share=0.3, validation_share=0.3)))
    assert after == {name: part for name, part in before.items() if name != "dog/3.png"}


@pytest.mark.parametrize("how", [{"validation_share": 0.5}, {"folds": 2}])
def test_what_validates_follows_the_seed_of_the_split_and_what_tests_does_not(
    own: Own, pets: Path, how: dict[str, Any]
) -> None:
    first, other = (parts(opened(own(pets, test_share=0.3, split_seed=seed, **how))) for seed in (0, 1))
    assert first != other
    assert [first[name] == "test" for name in first] == [other[name] == "test" for name in first]


def test_a_cache_that_is_damaged_is_told_and_not_made_anew(own: Own, pets: Path) -> None:
    own(pets).prepare_data()
    with own(pets).path.open("r+b") as file:
        file.truncate(100)
    with pytest.raises(InputError, match=r"is damaged .* Make it anew with data\.rebuild=true"):
        opened(own(pets))


def test_folders_of_one_name_are_two_data_sets(own: Own, tmp_path: Path, paint: Paint) -> None:
    for place in range(2):
        for number in range(5):
            paint(tmp_path / str(place) / "faces" / f"{number}.png", 10 * place + number)
    first, second = (opened(own(tmp_path / str(place) / "faces", "cat_faces")) for place in range(2))
    assert not torch.equal(first.sets["train"].inputs[0], second.sets["train"].inputs[0])
    assert first.path != second.path


def changes(pets: Path, paint: Paint) -> dict[str, Callable[[], Any]]:
    return {
        "added": lambda: paint(pets / "train" / "dog" / "new.png", 77),
        "gone": lambda: (pets / "train" / "dog" / "3.png").unlink(),
        "other": lambda: paint(pets / "train" / "dog" / "3.png", 78),
        "another name": lambda: (pets / "train" / "dog" / "3.png").rename(pets / "train" / "dog" / "33.png"),
        "tested": lambda: (pets / "train" / "dog" / "3.png").rename(pets / "test" / "dog" / "3.png"),
        "validates": lambda: (pets / "train" / "dog" / "9.png").rename(pets / "val" / "dog" / "00.png"),
        "another class": lambda: (pets / "train" / "dog" / "3.png").rename(pets / "train" / "cat" / "33.png"),
    }


@pytest.mark.parametrize("name", ["added", "other"])
def test_what_changes_while_the_files_are_read_is_seen_at_the_next_start(
    own: Own, pets: Path, paint: Paint, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """Reading a large folder takes minutes."""
    data, file = own(pets), pets / "dog" / ("new.png" if name == "added" else "3.png")
    make = data.make

    def changed_meanwhile() -> Any:
        made = make()
        paint(file, 77)
        return made

    monkeypatch.setattr(data, "make", changed_meanwhile)
    recorded, _ = opened(data).account()
    with pytest.raises(InputError, match=r"^the data have changed since the training"):
        own(pets).check_same(recorded)  # a run trained with what was read
    again = opened(own(pets))
    assert checksum_of(again.about) != recorded["checksum"]
    assert len(parts(again)) == (21 if name == "added" else 20)
    monkeypatch.setattr(again, "make", pytest.fail)
    again.prepare_data()


def test_arrays_that_change_while_they_are_read_are_read_anew(
    own: Own, compose: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The name of their cache file follows the files, too, so that it is that of the new ones."""
    save_clocks(tmp_path)
    data = clocks(compose, tmp_path)
    make = data.make

    def changed_meanwhile() -> Any:
        made = make()
        save_clocks(tmp_path, seed=1)
        return made

    monkeypatch.setattr(data, "make", changed_meanwhile)
    first, second = opened(data), opened(clocks(compose, tmp_path))
    assert not torch.equal(first.sets["test"].inputs, second.sets["test"].inputs)


@pytest.fixture
def divided(divide: Callable[[int], Path]) -> Path:
    return divide(1)


@pytest.mark.parametrize("name", ["added", "gone", "other", "another name", "tested", "validates", "another class"])
def test_changed_data_are_read_anew_and_refused(own: Own, divided: Path, paint: Paint, name: str) -> None:
    """Whatever was moved, with its size and its time."""
    recorded, _ = opened(own(divided)).account()
    own(divided).check_same(recorded)
    changes(divided, paint)[name]()
    with pytest.raises(InputError, match=r"^the data have changed since the training: (?s:.*)data.changed=accept"):
        own(divided).check_same(recorded)
    own(divided, changed="accept").check_same(recorded)
    files = {path.relative_to(divided).as_posix() for path in divided.rglob("*.png")}
    assert parts(opened(own(divided))).keys() == files


def test_the_same_data_elsewhere_are_the_same(own: Own, pets: Path) -> None:
    """A copy has other times, on another machine perhaps another place."""
    recorded, _ = opened(own(pets)).account()
    shutil.copytree(pets, pets.parent / "copy" / "pets", copy_function=shutil.copyfile)
    for file in (pets.parent / "copy").rglob("*.png"):
        os.utime(file, (1, 1))
    copy = own(pets.parent / "copy" / "pets")
    copy.check_same(recorded)
    assert copy.stamp != recorded["stamp"]


def test_the_same_files_read_in_another_way_are_other_data(own: Own, pets: Path) -> None:
    Image.fromarray(np.full((8, 8), 100, np.uint16)).save(pets / "dog" / "deep.tif")
    recorded, _ = opened(own(pets, white=255)).account()
    own(pets, white=255).check_same(recorded)
    with pytest.raises(InputError, match=r"^the data have changed since the training: as many images, but others"):
        own(pets, white=4095).check_same(recorded)


def clocks(compose: Callable[..., Any], place: Path) -> Any:
    """The data set of the arrays that `save_clocks` writes."""
    config = compose("data=clocks_npy", f"data.images={place}/images.npy", f"data.labels={place}/labels.npy")
    config.data.update(shape=[1, 8, 8], mean=0, std=1, folder=str(place / "cache"), augment=False)
    return build(config.data)


def save_clocks(place: Path, seed: int = 0, channels: tuple[int, ...] = ()) -> None:
    random = np.random.default_rng(seed)
    np.save(place / "labels.npy", random.integers(0, 12, (40, 2)))
    np.save(place / "images.npy", random.integers(0, 256, (40, 8, 8, *channels)).astype(np.uint8))


@pytest.mark.parametrize("kind", ["clocks_npy", "cat_faces"])
def test_changed_arrays_are_refused(own: Own, compose: Callable[..., Any], tmp_path: Path, kind: str) -> None:
    def data() -> Any:
        return own(tmp_path / "images.npy", kind) if kind == "cat_faces" else clocks(compose, tmp_path)

    channels = (3,) if kind == "cat_faces" else ()
    save_clocks(tmp_path, 0, channels)
    recorded, _ = opened(data()).account()
    data().check_same(recorded)
    save_clocks(tmp_path, 1, channels)
    with pytest.raises(InputError, match=r"^the data have changed"):
        data().check_same(recorded)


def test_a_run_of_before_there_were_accounts_goes_on(own: Own, pets: Path) -> None:
    own(pets).check_same(None)
    own(pets).check_same({"samples": {"train": 1, "val": 1, "test": 1}, "stamp": "other"})


def test_what_is_known_of_the_data_is_of_the_file_that_was_read(
    own: Own, pets: Path, paint: Paint, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another process may replace it while its checksum is computed."""
    first = own(pets)
    first.prepare_data()

    def replaced(tensors: Any) -> int:
        monkeypatch.undo()
        paint(pets / "cat" / "another.png", 5)
        own(pets).prepare_data()
        return checksum(tensors)

    monkeypatch.setattr("atelier.data.cache.checksum", replaced)
    first.setup()
    assert len(first.about["files"]["train"]) == len(first.sets["train"].inputs)
    other = own(pets)
    other.setup()
    assert len(other.sets["train"].inputs) + len(other.sets["test"]) > len(first.sets["train"].inputs)


@pytest.mark.parametrize("rows", [1, 20])
def test_an_array_that_is_accepted_as_it_is_now_is_divided_anew_which_is_told(
    own: Own, tmp_path: Path, rows: int
) -> None:
    """Without names, one more sample moves the others between training and test."""
    images = np.random.default_rng(0).integers(0, 255, (40 + rows, 8, 8, 3), dtype=np.uint8)
    np.save(tmp_path / "faces.npy", images[:40])
    recorded, _ = opened(own(tmp_path / "faces.npy", "cat_faces")).account()
    own(tmp_path / "faces.npy", "cat_faces", changed="accept").check_same(recorded)  # nothing has changed
    np.save(tmp_path / "faces.npy", images)
    with pytest.raises(InputError, match="the data have changed since the training"):
        own(tmp_path / "faces.npy", "cat_faces").check_same(recorded)
    with pytest.warns(UserWarning, match="divided anew: the test may hold samples that the run has trained on"):
        own(tmp_path / "faces.npy", "cat_faces", changed="accept").check_same(recorded)


def test_images_with_names_that_are_accepted_keep_their_parts_and_nothing_is_told(
    own: Own, pets: Path, paint: Paint, recwarn: pytest.WarningsRecorder
) -> None:
    recorded, _ = opened(own(pets)).account()
    paint(pets / "dog" / "new.png", 77)
    own(pets, changed="accept").check_same(recorded)
    assert not [one for one in recwarn if "divided anew" in str(one.message)]
