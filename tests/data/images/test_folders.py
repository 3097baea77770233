"""Folders of one's own images: classes, splits, what is missing or damaged."""

import unicodedata
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from omegaconf.errors import InterpolationResolutionError

from atelier.data.class_folders import LeftOut
from atelier.data.images import ImageData
from atelier.errors import InputError

Make = Callable[..., ImageData]
Save = Callable[..., None]


@pytest.fixture
def folder(tmp_path: Path, save: Save) -> Path:
    """Twenty pictures of each class; a picture's grey is its class's."""
    for grey, name in ((10, "ants"), (200, "bees")):
        for number in range(20):
            save(tmp_path / "pictures" / name / f"{number}.png", grey, (20, 12))
    (tmp_path / "pictures" / "ants" / "notes.txt").write_text("no picture")
    return tmp_path / "pictures"


FLAT = ["data.shape=[3,8,8]", "data.mean=0.41", "data.std=0.37"]


def test_a_folder_of_class_folders_is_read(make: Make, folder: Path, ready: Make) -> None:
    data = ready(make("image_folder", f"data.images={folder}", "data.test_share=0.2", *FLAT))
    assert data.classes == ["ants", "bees"]
    assert data.num_classes == 2
    assert sum(map(len, data.sets.values())) == 40
    for split in data.sets.values():
        images, labels = split[torch.arange(len(split))]
        assert images[:, 0, 0, 0].tolist() == [10 if label == 0 else 200 for label in labels]


def test_folders_of_training_and_test_images_stay_apart(make: Make, tmp_path: Path, ready: Make, save: Save) -> None:
    for split, grey in (("train", 10), ("test", 200)):
        for name in ("ants", "bees"):
            for number in range(10):
                save(tmp_path / "both" / split / name / f"{number}.png", grey)
    data = ready(make("image_folder", f"data.images={tmp_path}/both", "data.mean=0.04", "data.std=0.01", FLAT[0]))
    assert data.sets["test"].inputs.unique().tolist() == [200]
    assert data.sets["train"].inputs.unique().tolist() == [10]


def test_an_accent_that_is_written_in_two_ways_is_one_name(make: Make, tmp_path: Path, ready: Make, save: Save) -> None:
    names = [unicodedata.normalize(form, "köln") for form in ("NFC", "NFD")]
    for split, name in zip(("train", "test"), names, strict=True):
        for number in range(10):
            save(tmp_path / "towns" / split / name / f"{number}.png", 10)
            save(tmp_path / "towns" / split / "rom" / f"{number}.png", 200)
    for chosen in ([], [f"data.classes=['{names[0]}',rom]"], [f"data.classes=['{names[1]}',rom]"]):
        data = ready(make("image_folder", f"data.images={tmp_path}/towns", *chosen, *FLAT))
        assert (data.classes, len(data.sets["test"])) == ([names[0], "rom"], 20)


def test_classes_that_are_numbers_can_be_chosen(make: Make, tmp_path: Path, ready: Make, save: Save) -> None:
    for digit in range(3):
        for number in range(10):
            save(tmp_path / "digits" / str(digit) / f"{number}.png", 100 * digit)
    data = ready(make("image_folder", f"data.images={tmp_path}/digits", "data.classes=[2,0]", *FLAT))
    assert (data.classes, data.num_classes) == (["2", "0"], 2)


def test_a_share_that_tests_all_is_told(make: Make, folder: Path, ready: Make) -> None:
    with pytest.raises(
        InputError, match=r"^data\.test_share=0\.99: it leaves none of 40 images to train on; give less$"
    ):
        ready(make("image_folder", f"data.images={folder}", "data.test_share=0.99", *FLAT))


def test_one_class_of_a_folder_can_be_taken(make: Make, folder: Path, ready: Make) -> None:
    given = [f"data.images={folder}", "data.classes=[bees]", "data.shape=[3,8,8]", "data.mean=0.784", "data.std=0.01"]
    data = ready(make("image_folder", *given))
    assert data.classes == ["bees"]
    assert data.num_classes == 1
    assert data.sets["train"].inputs.unique().tolist() == [200]


def test_a_changed_folder_is_read_anew(make: Make, folder: Path, ready: Make, save: Save) -> None:
    before = ready(make("image_folder", f"data.images={folder}", *FLAT))
    save(folder / "ants" / "new.png", 10)
    after = ready(make("image_folder", f"data.images={folder}", *FLAT))
    assert before.path == after.path, "an old cache does not stay behind"
    count = [sum(map(len, data.sets.values())) for data in (before, after)]
    assert count == [40, 41]


@pytest.mark.parametrize(
    ("changes", "start"),
    [
        (["data.images={folder}/nowhere", "data.classes=[a]"], "data.images={folder}/nowhere: there is no such folder"),
        (["data.images={folder}", "data.classes=[wasps]"], "data.classes=['wasps']: {folder} has ants, bees"),
        (["data.images={folder}", "data.classes=[empty]"], "data.classes=['empty']: {folder} has ants, bees"),
        (
            ["data.images={folder}/ants", "data.classes=[]"],
            "data.images={folder}/ants: ants/ holds file: 21 (0.png, 1.png, 10.png, …); expected is ",
        ),
    ],
)
def test_a_folder_without_what_is_needed_is_told(make: Make, folder: Path, changes: list[str], start: str) -> None:
    (folder / "empty").mkdir()
    data = make("image_folder", *(change.format(folder=folder) for change in changes), *FLAT)
    with pytest.raises(InputError) as told:
        data.check_source()
    assert str(told.value).startswith(start.format(folder=folder))


def test_a_broken_image_is_named(make: Make, folder: Path) -> None:
    (folder / "bees" / "broken.jpg").write_bytes(b"no picture")
    with pytest.raises(InputError, match=r"broken.jpg is no image"):
        make("image_folder", f"data.images={folder}", *FLAT).prepare_data()


def test_what_tools_leave_and_empty_folders_are_no_classes(make: Make, folder: Path, save: Save) -> None:
    save(folder / ".thumbnails" / "0.png", 10)
    save(folder / "__MACOSX" / "0.png", 10)
    (folder / "empty").mkdir()
    data = make("image_folder", f"data.images={folder}", *FLAT)
    assert data.num_classes == 2
    assert data.make()[1] == ["ants", "bees"]


def test_a_folder_of_one_class_is_told(make: Make, folder: Path, tmp_path: Path) -> None:
    (tmp_path / "one").mkdir()
    (folder / "ants").rename(tmp_path / "one" / "ants")
    with pytest.raises(InputError, match=r"/one: one class only, ants; give two or more, or data.classes=\[ants\]"):
        make("image_folder", f"data.images={tmp_path}/one", *FLAT).check_source()


def test_a_class_that_is_only_tested_is_told(make: Make, tmp_path: Path, save: Save) -> None:
    for name in ("train/ants", "train/bees", "test/ants", "test/zebra"):
        save(tmp_path / "both" / name / "0.png", 10)
    with pytest.raises(InputError, match="/both: test/ has zebra, which train/ has not; that has ants, bees"):
        make("image_folder", f"data.images={tmp_path}/both", *FLAT).check_source()


def test_another_share_that_tests_is_another_cache(make: Make, folder: Path, ready: Make) -> None:
    shares = ([], ["data.test_share=0"], ["data.test_share=0.3"], [])
    found = [len(ready(make("image_folder", f"data.images={folder}", *FLAT, *share)).sets["test"]) for share in shares]
    assert found[1] == 0 < found[0] == found[3] < found[2]


def test_too_few_to_validate_is_told(make: Make, tmp_path: Path, ready: Make, save: Save) -> None:
    for name in ("ants", "bees"):
        save(tmp_path / "few" / name / "0.png", 10)
    with pytest.raises(
        InputError, match=r"data.validation_share=0.1 of 1 leaves no sample to validate; give more, or 0"
    ):
        ready(make("image_folder", f"data.images={tmp_path}/few", "data.mean=0.04", "data.std=0.01", FLAT[0]))


@pytest.mark.parametrize(
    "names", [("train_data", "test_data"), ("trainset", "test", "val"), ("Train-A", "Test-A"), ("my_train", "my_val")]
)
def test_folders_called_by_splits_in_another_way_are_not_taken_for_classes(
    make: Make, tmp_path: Path, save: Save, names: tuple[str, ...]
) -> None:
    for name in names:
        for kind in ("cat", "dog"):
            save(tmp_path / "pets" / name / kind / "1.png", 10)
    with pytest.raises(
        (InputError, InterpolationResolutionError),
        match="holds cat, dog: if these are the classes, call",
    ):
        make("image_folder", f"data.images={tmp_path}/pets", *FLAT)


@pytest.mark.parametrize("names", [("cat", "dog"), ("train_a", "train_b"), ("trains", "ships"), ("trout", "valley")])
def test_class_folders_with_folders_of_equal_names_in_them_are_classes(
    make: Make, tmp_path: Path, save: Save, ready: Make, names: tuple[str, ...]
) -> None:
    for name in names:
        for inner in ("day", "night"):
            for number in range(9):
                save(tmp_path / "own" / name / inner / f"{number}.png", 10)
    data = ready(make("image_folder", f"data.images={tmp_path}/own", "data.mean=0.04", "data.std=0.01", FLAT[0]))
    assert data.classes == sorted(names)


def test_classes_that_are_chosen_may_be_called_as_splits_are(
    make: Make, tmp_path: Path, save: Save, ready: Make
) -> None:
    for name in ("train_station", "valley"):
        for year in ("2023", "2024"):
            for number in range(9):
                save(tmp_path / "own" / name / year / f"{number}.png", 10)
    chosen = [f"data.images={tmp_path}/own", "data.classes=[train_station,valley]"]
    data = ready(make("image_folder", *chosen, "data.mean=0.04", "data.std=0.01", FLAT[0]))
    assert data.classes == ["train_station", "valley"]


def test_a_class_that_is_chosen_twice_is_refused(make: Make, folder: Path) -> None:
    for chosen in ("[ants,bees,ants]", "[bees,bees]"):
        with pytest.raises(InputError, match="is there twice; leave one out"):
            make("image_folder", f"data.images={folder}", f"data.classes={chosen}", *FLAT)


def test_folders_that_are_not_chosen_are_counted(make: Make, folder: Path, save: Save) -> None:
    save(folder / "cats" / "1.png", 30)
    data = make("image_folder", f"data.images={folder}", "data.classes=[bees,ants]", *FLAT)
    left_out: Any = LeftOut(folder)
    data.files(left_out)  # type: ignore[attr-defined]
    assert str(left_out) == "not among data.classes: 1 (cats)"
