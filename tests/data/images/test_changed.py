"""Data that change after a training: the cache follows them, a run refuses them, and no image changes its part."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

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
        "tested": lambda: (pets / "train" / "dog" / "3.png").rename(pets / "test" / "dog" / "3.png"),
        "validates": lambda: (pets / "train" / "dog" / "9.png").rename(pets / "val" / "dog" / "00.png"),
        "another class": lambda: (pets / "train" / "dog" / "3.png").rename(pets / "train" / "cat" / "33.png"),
    }


@pytest.fixture
def divided(divide: Callable[[int], Path]) -> Path:
    return divide(1)


@pytest.mark.parametrize("name", ["added", "gone", "other", "tested", "validates", "another class"])
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


@pytest.mark.parametrize("kind", ["clocks_npy", "cat_faces"])
def test_changed_arrays_are_refused(own: Own, compose: Callable[..., Any], tmp_path: Path, kind: str) -> None:
    from atelier.compose.targets import build

    def data() -> Any:
        if kind == "cat_faces":
            return own(tmp_path / "images.npy", kind)
        config = compose("data=clocks_npy", f"data.images={tmp_path}/images.npy", f"data.labels={tmp_path}/labels.npy")
        config.data.update(shape=[1, 8, 8], mean=0, std=1, folder=str(tmp_path / "cache"), augment=False)
        return build(config.data)

    random = np.random.default_rng(0)
    shape = (40, 8, 8) if kind == "clocks_npy" else (40, 8, 8, 3)
    np.save(tmp_path / "labels.npy", random.integers(0, 12, (40, 2)))
    np.save(tmp_path / "images.npy", random.integers(0, 256, shape).astype(np.uint8))
    recorded, _ = opened(data()).account()
    data().check_same(recorded)
    np.save(tmp_path / "images.npy", random.integers(0, 256, shape).astype(np.uint8))
    with pytest.raises(InputError, match=r"^the data have changed"):
        data().check_same(recorded)


def test_a_run_of_before_there_were_accounts_goes_on(own: Own, pets: Path) -> None:
    own(pets).check_same(None)
    own(pets).check_same({"samples": {"train": 1, "val": 1, "test": 1}, "stamp": "other"})
