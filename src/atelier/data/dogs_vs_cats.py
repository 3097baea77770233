"""Photographs of dogs and cats (IFT6135 report, assignment 2)."""

import re
import shutil
import zipfile
from pathlib import Path
from typing import Any

from atelier.data.cache import alone
from atelier.data.class_folders import LeftOut, class_folders, shown_in
from atelier.data.image_folder import ImageFolder
from atelier.data.images import NEEDS_NOTHING
from atelier.data.kaggle import from_kaggle, link

COMPETITION = "dogs-vs-cats"  # on Kaggle: train/cat.0.jpg … train/dog.12499.jpg


class DogsVsCats(ImageFolder):
    """Class folders like `ImageFolder`, Kaggle's flat folder `cat.0.jpg, dog.0.jpg, …`, or a download from Kaggle.

    Args:
        download: download the images with kagglehub (extra `kaggle`, a Kaggle account) if the folder is missing.
        **options: see `ImageFolder`.
    """

    def __init__(self, download: bool, **options: Any) -> None:
        super().__init__(**options)
        self.download = download

    def check_source(self) -> None:
        if self.source == "real" and not (self.download and not self.images.is_dir()):
            super().check_source()

    def prepare_data(self) -> None:
        if self.source == "real" and self.download and not self.images.is_dir():
            with alone(self.path):
                if not self.images.is_dir():  # another process may have fetched it
                    fetch(self.images)
        super().prepare_data()

    def folders(self, left_out: LeftOut) -> dict[str, Path]:
        """The folders of the splits; for Kaggle's folders only the training folder, since its test has no labels."""
        inner = self.images / "train"
        if not (inner.is_dir() and flat(inner)):
            return super().folders(left_out)
        for path in shown_in(self.images, left_out):
            if path != inner:
                left_out.add("without classes", path)
        return {"train": inner}

    def classes_of(self, folder: Path) -> list[str]:
        found = {name for _, _, name in flat(folder)}
        return [name for name in self.chosen or ("cat", "dog") if name in found] or super().classes_of(folder)

    def classified(self, folder: Path, left_out: LeftOut) -> list[tuple[Path, str]]:
        if not (named := flat(folder)):
            return super().classified(folder, left_out)
        wanted = self.classes_of(folder)
        taken = sorted((name, number, file) for number, file, name in named if name in wanted)
        every = {file for _, file, _ in named}
        for path in shown_in(folder, left_out):
            if path not in every:
                left_out.add("not called cat or dog", path)
        return [(file, name) for name, _, file in taken]

    def missing(self) -> str:
        return (
            f"data=dogs_vs_cats: there is no folder {self.images}. Put the photographs there (cat/ and dog/, or"
            " Kaggle's train/cat.0.jpg …), or fetch them with data.download=true (extra `kaggle`, a Kaggle account).\n"
            f"{NEEDS_NOTHING}."
        )


def flat(folder: Path) -> list[tuple[int, Path, str]]:
    """Files named cat… or dog… in a folder without class folders: (number in the name, file, class)."""
    if class_folders(folder):
        return []
    pattern = re.compile(r"(cat|dog)s?(?![a-z])\D*(\d*)", re.IGNORECASE)
    found = [(path, pattern.match(path.name)) for path in shown_in(folder) if not path.is_dir()]
    return [(int(match[2] or 0), path, match[1].lower()) for path, match in found if match]


def fetch(folder: Path) -> None:
    """Download Kaggle's files to `folder`: unpack an archive, or link a folder.

    Raises:
        InputError: if kagglehub is not installed, or the download fails.
    """
    fetched = from_kaggle(lambda kagglehub: kagglehub.competition_download(COMPETITION), folder)
    if not (fetched / "train.zip").exists():
        link(fetched, folder)
        return
    part = folder.with_name(f".{folder.name}.part")
    shutil.rmtree(part, ignore_errors=True)  # of an interrupted attempt
    with zipfile.ZipFile(fetched / "train.zip") as archive:
        archive.extractall(part)  # also creates its parent folders
    part.rename(folder)
