"""Kaggle's dogs and cats, in its flat folder or fetched."""

from collections.abc import Callable
from pathlib import Path

import pytest

from atelier.data.images import ImageData
from atelier.errors import InputError

Make = Callable[..., ImageData]
Save = Callable[..., None]


def test_kaggles_flat_folder_is_read_in_the_order_of_its_numbers(make: Make, tmp_path: Path, save: Save) -> None:
    for name, grey in (("cat", 50), ("dog", 150)):
        for number in range(12):
            save(tmp_path / "dogs_vs_cats" / "train" / f"{name}.{number}.jpg", grey + number)
    (tmp_path / "dogs_vs_cats" / "test1").mkdir()
    data = make("dogs_vs_cats")
    files = [file.name for file, _ in data.files()["train"]]  # type: ignore[attr-defined]
    assert files == [f"{name}.{number}.jpg" for name in ("cat", "dog") for number in range(12)]
    assert data.make()[1] == ["cat", "dog"]
    dogs = make("dogs_vs_cats", "data.classes=[dog]")
    assert [label for _, label in dogs.files()["train"]] == ["dog"] * 12  # type: ignore[attr-defined]
    assert dogs.make()[1] == ["dog"]


def test_dogs_and_cats_that_are_not_there_are_told(make: Make, tmp_path: Path) -> None:
    with pytest.raises(
        InputError, match=rf"there is no folder {tmp_path}/dogs_vs_cats. Put the photographs there"
    ) as told:
        make("dogs_vs_cats").check_source()
    assert "data=digits" in str(told.value)
    assert len(str(told.value).splitlines()) == 2


def test_a_download_that_fails_is_told(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    import kagglehub

    def refuse(name: str) -> str:
        raise PermissionError(f"you have not joined {name}")

    monkeypatch.setattr(kagglehub, "competition_download", refuse)
    with pytest.raises(InputError, match=r"Kaggle gave nothing .*you have not joined dogs-vs-cats"):
        make("dogs_vs_cats", "data.download=true").prepare_data()


@pytest.mark.parametrize("earlier", ["none", "deleted", "half unpacked"])
@pytest.mark.parametrize("packed", [True, False])
def test_a_download_is_put_where_the_folder_is_looked_for(
    make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ready: Make, save: Save, packed: bool, earlier: str
) -> None:
    """Also in the place of a link to an earlier download that was deleted, or that was interrupted."""
    import zipfile

    import kagglehub

    for name in ("cat", "dog"):
        for number in range(12):
            save(tmp_path / "server" / "train" / f"{name}.{number}.jpg", 100)
    (tmp_path / "fetched").mkdir()
    with zipfile.ZipFile(tmp_path / "fetched" / "train.zip", "w") as archive:
        for file in sorted((tmp_path / "server").rglob("*.jpg")):
            archive.write(file, file.relative_to(tmp_path / "server"))
    if earlier == "deleted":
        (tmp_path / "dogs_vs_cats").symlink_to(tmp_path / "gone")
    if earlier == "half unpacked":
        save(tmp_path / ".dogs_vs_cats.part" / "train" / "cat.99.jpg", 100)
    fetched = tmp_path / ("fetched" if packed else "server")
    monkeypatch.setattr(kagglehub, "competition_download", lambda name: str(fetched))
    data = ready(make("dogs_vs_cats", "data.download=true", "data.mean=0.39", "data.std=0.01", "data.shape=[3,8,8]"))
    assert sum(map(len, data.sets.values())) == 24
