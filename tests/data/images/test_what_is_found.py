"""Nothing that is in a folder vanishes uncounted: layouts, names and endings as people have them."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from atelier.data.class_folders import class_count
from atelier.errors import InputError

Own = Callable[..., Any]
Paint = Callable[..., None]


def found(data: Any) -> tuple[dict[str, int], dict[str, int]]:
    """The images of each class, and how many names are left out for each reason."""
    data.prepare_data()
    data.setup()
    known, _ = data.account()
    left_out = {why: one["count"] for why, one in known.get("left_out", {}).items()}
    return known["classes"], left_out


@pytest.mark.parametrize("ending", [".jfif", ".JPE", ".JPG", "", ".jpg_large", ".Png", ".webp"])
def test_an_image_is_known_by_its_content(own: Own, pets: Path, ending: str) -> None:
    for file in (pets / "dog").iterdir():
        file.rename(file.with_suffix(ending))
    assert found(own(pets)) == ({"cat": 10, "dog": 10}, {})


# {moved to: from}, or new files with a text in the place of "from"; then the classes and what is left out.
LAYOUTS: dict[str, tuple[dict[str, str], dict[str, int], dict[str, int]]] = {
    "nested": ({"dog/monday/9.png": "dog/9.png", "dog/a/b/8.png": "dog/8.png"}, {"cat": 10, "dog": 10}, {}),
    "nested entirely": ({"fox/a": "dog"}, {"cat": 10, "fox": 10}, {}),
    "underlined": ({"__other__": "dog"}, {"__other__": 10, "cat": 10}, {}),
    "numbers": ({"007": "dog", "1e3": "cat"}, {"007": 10, "1e3": 10}, {}),
    "words of YAML": ({"true": "dog", "null": "cat"}, {"null": 10, "true": 10}, {}),
    "a folder called like a file": ({"dog/album.jpg/9.png": "dog/9.png"}, {"cat": 10, "dog": 10}, {}),
    "empty class": ({"fox/.keep": "text"}, {"cat": 10, "dog": 10}, {"folder without an image": 1}),
    "class of no images": ({"fox/a.txt": "text"}, {"cat": 10, "dog": 10}, {"folder without an image": 1}),
    "hidden class": ({".net/0.png": "cat/0.png"}, {"cat": 9, "dog": 10}, {"hidden": 1}),
    "hidden files": ({"dog/._1.jpg": "text", "dog/.DS_Store": "text"}, {"cat": 10, "dog": 10}, {"hidden": 2}),
    "notes": ({"dog/Thumbs.db": "text", "cat/a.txt": "text"}, {"cat": 10, "dog": 10}, {"not an image": 2}),
    "beside the classes": ({"9.png": "dog/9.png"}, {"cat": 10, "dog": 9}, {"beside the class folders": 1}),
}


@pytest.mark.parametrize("name", LAYOUTS)
def test_every_layout_is_counted(own: Own, pets: Path, name: str) -> None:
    moves, classes, left_out = LAYOUTS[name]
    for new, old in moves.items():
        (pets / new).parent.mkdir(parents=True, exist_ok=True)
        if old == "text":
            (pets / new).write_text("no image")
        else:
            (pets / old).rename(pets / new)
    assert found(own(pets)) == (classes, left_out)


def test_the_line_says_what_was_found_and_where(own: Own, pets: Path) -> None:
    (pets / "dog" / "notes.txt").write_text("no image")
    data = own(pets)
    found(data)
    line = data.account()[1][0]
    sizes = [len(data.sets[split]) for split in ("train", "val", "test")]
    parts = "{} train, {} validate, {} test".format(*sizes)
    assert line == f"{pets}: 20 images, cat 10, dog 10; {parts}; left out: not an image: 1 (dog/notes.txt)"
    assert sum(sizes) == 20


# ---------------------------------------------------------------------- splits


def split_into(pets: Path, paint: Paint, *splits: str) -> None:
    """Class folders below each of `splits`, of 8, 4, … pictures of each class."""
    (pets / "dog").rename(pets.parent / "dog")
    (pets / "cat").rename(pets.parent / "cat")
    for place, split in enumerate(splits):
        for kind in range(2):
            for number in range(8 if place == 0 else 4):
                paint(pets / split / ("cat", "dog")[kind] / f"{number}.png", 1000 * place + 100 * kind + number)


@pytest.mark.parametrize("train", ["train", "Training", "TRAIN", "training_set"])
@pytest.mark.parametrize("val", ["val", "valid", "Validation", "val_set"])
def test_a_folder_that_validates_is_used(own: Own, pets: Path, paint: Paint, train: str, val: str) -> None:
    split_into(pets, paint, train, val, "test")
    data = own(pets)
    found(data)
    assert {split: len(rows) for split, rows in data.sets.items()} == {"train": 16, "val": 8, "test": 8}
    names = data.about["files"]["train"]
    assert {names[row].split("/")[0] for row in data.sets["val"].rows} == {val}
    assert {names[row].split("/")[0] for row in data.sets["train"].rows} == {train}


@pytest.mark.parametrize(
    "splits", [["train", "val"], ["Train"], ["train", "test"], ["training", "Testing"], ["Training_Set", "test_set"]]
)
def test_what_has_no_folder_is_taken_of_the_training_images(
    own: Own, pets: Path, paint: Paint, splits: list[str]
) -> None:
    split_into(pets, paint, *splits)
    data = own(pets, test_share=0.3, validation_share=0.3)
    assert found(data) == ({"cat": 8 + 4 * (len(splits) - 1), "dog": 8 + 4 * (len(splits) - 1)}, {})
    assert all(len(rows) for rows in data.sets.values())


@pytest.mark.parametrize(
    ("extra", "reason"),
    [
        ("test/0.png", "split without class folders"),
        ("test/.keep", "split without class folders"),
        ("extra/cat/0.png", "beside the splits"),
        ("notes.txt", "beside the splits"),
    ],
)
def test_what_has_no_place_among_the_splits_is_counted(
    own: Own, pets: Path, paint: Paint, extra: str, reason: str
) -> None:
    split_into(pets, paint, "train", "val")
    paint(pets / extra, 5000)
    assert found(own(pets, test_share=0.3)) == ({"cat": 12, "dog": 12}, {reason: 1})


def test_a_class_may_be_called_train(own: Own, pets: Path) -> None:
    (pets / "cat").rename(pets / "train")
    assert found(own(pets)) == ({"dog": 10, "train": 10}, {})


def test_two_folders_of_one_split_are_told(own: Own, pets: Path, paint: Paint) -> None:
    split_into(pets, paint, "train", "val", "valid")
    with pytest.raises(InputError, match="pets has val and valid: one folder of the two is expected"):
        own(pets, num_classes=2).check_source()


def test_folds_beside_a_folder_that_validates_are_refused(own: Own, pets: Path, paint: Paint) -> None:
    split_into(pets, paint, "train", "val", "test")
    with pytest.raises(InputError, match=r"^data.folds=2: .*pets has a folder that validates; give null"):
        found(own(pets, folds=2))


def test_a_class_that_only_validates_is_told(own: Own, pets: Path, paint: Paint) -> None:
    split_into(pets, paint, "train", "val")
    (pets / "val" / "cat").rename(pets / "val" / "Cat")
    with pytest.raises(InputError, match="val/ has Cat, which train/ has not; that has cat, dog"):
        own(pets).check_source()


# ---------------------------------------------------------------------- dogs and cats as they are given out


@pytest.mark.parametrize(
    ("names", "classes", "left_out"),
    [
        (["cat.0.JPG", "dog.1.jpeg", "Dog.2.jpg"], {"cat": 1, "dog": 2}, {}),
        (["cat.0 (1).jpg", "dog_31.jpg", "cat.3"], {"cat": 2, "dog": 1}, {}),
        (["cat.0.jpg", "dog.1.jpg", "catalogue.jpg", "Thumbs.db"], {"cat": 1, "dog": 1}, {"not called cat or dog": 2}),
        (["train/cat.0.jpg", "train/dog.1.jpg", "test1/1.jpg"], {"cat": 1, "dog": 1}, {"without classes": 1}),
        (["Cat/0.jpg", "Dog/0.jpg", "Dog/Thumbs.db"], {"Cat": 1, "Dog": 1}, {"not an image": 1}),
        (["train/cats/0.jpg", "train/dogs/0.jpg", "validation/cats/1.jpg"], {"cats": 2, "dogs": 1}, {}),
    ],
)
def test_dogs_and_cats_are_counted(
    own: Own, tmp_path: Path, paint: Paint, names: list[str], classes: dict[str, int], left_out: dict[str, int]
) -> None:
    for number, name in enumerate(names):
        if name.endswith("Thumbs.db"):
            (tmp_path / "pets" / name).write_text("no image")
        else:
            paint(tmp_path / "pets" / name, number)
    data = own(tmp_path / "pets", "dogs_vs_cats", test_share=0, validation_share=0)
    assert found(data) == (classes, left_out)


# ---------------------------------------------------------------------- names and links


@pytest.mark.parametrize(
    "name", ["日本.JPG", "new\nline.jpg", "q'uote\".jpg", "x" * 251 + ".jpg", "[red]x.jpg", "a=b,$c.jpg"]
)
def test_any_name_is_taken(own: Own, pets: Path, name: str) -> None:
    (pets / "dog" / "9.png").rename(pets / "dog" / name)
    assert found(own(pets)) == ({"cat": 10, "dog": 10}, {})


def test_a_name_that_is_no_text_is_written_so_that_it_can_be_read(own: Own, pets: Path) -> None:
    os.rename(pets / "dog", os.fsencode(pets) + b"/caf\xe9")
    os.rename(pets / "cat" / "9.png", os.fsencode(pets) + b"/cat/\xe9.png")
    data = own(pets)
    assert found(data) == ({"caf\\xe9": 10, "cat": 10}, {})
    assert data.account()[1][0].encode()


def test_links_are_followed_but_not_round(own: Own, pets: Path) -> None:
    (pets / "dog").rename(pets.parent / "elsewhere")
    (pets / "dog").symlink_to(pets.parent / "elsewhere")
    (pets / "cat" / "again").symlink_to(pets)
    assert found(own(pets)) == ({"cat": 10, "dog": 10}, {"link to a folder that it lies in": 1})


# ---------------------------------------------------------------------- what was there, and what was expected


@pytest.mark.parametrize(
    ("there", "told"),
    [
        ([], "there is no such folder, only "),
        ([""], "this is a file"),
        (["/.keep"], r"mine/ holds hidden: 1 \(.keep\)"),
        (["/0.png", "/1.png"], r"mine/ holds file: 2 \(0.png, 1.png\)"),
        (["/a/x.txt", "/b/y.txt"], r"mine/ holds folder without an image: 2 \(a, b\)"),
        (["/train/0.png", "/test/0.png"], r"train/ holds file: 1 \(0.png\)"),
    ],
)
def test_what_is_there_is_told_with_what_was_expected(
    tmp_path: Path, paint: Paint, there: list[str], told: str
) -> None:
    for name in there:
        path = Path(f"{tmp_path}/mine{name}")
        if path.suffix == ".png":
            paint(path)
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("no image")
    with pytest.raises(InputError, match=f"^data.images={tmp_path}/mine: {told}.*expected is one folder of images"):
        class_count(None, f"{tmp_path}/mine")
