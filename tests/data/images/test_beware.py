"""What a run says about its data before it trains: images twice, classes that nobody learns."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from atelier.data import account
from atelier.data.split import lot

Own = Callable[..., Any]
Paint = Callable[..., None]


def beware(data: Any) -> list[str]:
    data.prepare_data()
    data.setup()
    known, lines = data.account()
    assert [f"Beware: {words}" for words in known["beware"]] == [line for line in lines if line.startswith("Beware")]
    return known["beware"]


@pytest.fixture
def divided(divide: Callable[[int], Path]) -> Path:
    return divide(3)


def test_nothing_is_said_of_sound_data(own: Own, divided: Path) -> None:
    assert beware(own(divided)) == []


def test_an_image_that_is_trained_and_tested_on(own: Own, divided: Path) -> None:
    for number in range(3):
        shutil.copy(divided / "train" / "dog" / f"{number}.png", divided / "test" / "dog" / f"{number}.png")
    shutil.copy(divided / "train" / "dog" / "0.png", divided / "test" / "dog" / "too.png")
    pair = "train/dog/0.png and test/dog/0.png"
    assert beware(own(divided)) == [f"images both trained and tested on: 4 (the first: {pair})"]


def test_an_image_that_is_trained_on_and_validates(own: Own, divided: Path) -> None:
    shutil.copy(divided / "train" / "dog" / "5.png", divided / "val" / "dog" / "0.png")
    pair = "train/dog/5.png and val/dog/0.png"
    assert beware(own(divided)) == [f"images both trained and validated on: 1 (the first: {pair})"]


def test_copies_in_one_folder_part_when_it_is_divided(own: Own, pets: Path) -> None:
    for file in sorted(pets.rglob("*.png")):
        shutil.copy(file, file.with_name(f"copy of {file.name}"))
    found = beware(own(pets, test_share=0.3, validation_share=0.3))
    assert [words.partition(":")[0] for words in found] == [
        "images both trained and validated on",
        "images both trained and tested on",
    ]


def test_an_image_of_two_classes(own: Own, divided: Path) -> None:
    for number in range(2):
        shutil.copy(divided / "train" / "cat" / f"{number}.png", divided / "train" / "dog" / f"too{number}.png")
    pair = "train/cat/0.png and train/dog/too0.png"
    assert beware(own(divided)) == [f"images in two classes: 2 (the first: {pair})"]


def test_a_class_that_is_only_tested(own: Own, divided: Path, paint: Paint) -> None:
    """Its one image is taken for the test."""
    shutil.rmtree(divided / "test")
    shutil.rmtree(divided / "train" / "cat")
    number = next(number for number in range(1000) if lot(f"train/cat/{number}.png", 0, "test") < 0.1)
    paint(divided / "train" / "cat" / f"{number}.png", 999)
    assert "no sample of cat to train on" in beware(own(divided))


def test_a_class_that_nobody_tests(own: Own, divided: Path) -> None:
    shutil.rmtree(divided / "test" / "dog")
    assert beware(own(divided)) == ["no sample of dog to test on"]


def test_nothing_to_test_on(own: Own, pets: Path) -> None:
    assert beware(own(pets, test_share=0)) == ["no sample to test on"]


def test_a_part_too_small_for_all_classes(make: Callable[..., Any]) -> None:
    """Of any data set."""
    (found,) = beware(make("digits", "data.train_size=3"))
    assert found.startswith("no sample of ")
    assert found.endswith(" to train on")
    assert len(found.split(",")) == 7


def test_brightness_is_measured_on_images_drawn_at_random(make: Callable[..., Any], monkeypatch: Any) -> None:
    """Every second image of a set whose dark and bright ones take turns would say that all are dark."""
    data = make("digits")
    data.prepare_data()
    data.setup()
    images = data.sets["train"].inputs
    images[0::2], images[1::2] = 0, 200
    monkeypatch.setattr(account, "LOOKED_AT", len(images) // 2)
    mean, deviation = data.account()[0]["brightness"]
    assert abs(mean - 100 / 255) < 0.05
    assert abs(deviation - 100 / 255) < 0.05
