"""Photographs of dogs and cats (IFT6135 report, assignment 2)."""

import re
import shutil
import zipfile
from pathlib import Path
from typing import Any

from atelier.data.image_folder import Files, ImageFolder
from atelier.data.images import NEEDS_NOTHING
from atelier.data.kaggle import from_kaggle, link

COMPETITION = "dogs-vs-cats"  # on Kaggle: train/cat.0.jpg … train/dog.12499.jpg


class DogsVsCats(ImageFolder):
    """Class folders like `ImageFolder`, Kaggle's own flat folder `cat.0.jpg, dog.0.jpg, …`, or fetched from Kaggle.

    Args:
        download: fetch it with kagglehub (extra `kaggle`, a Kaggle account) where the folder is missing.
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
            fetch(self.images)
        super().prepare_data()

    def classified(self, folder: Path) -> list[tuple[Path, str]]:
        flat = [
            (file, match[1]) for file in folder.iterdir() if (match := re.match(r"(cat|dog)\.\d+\.jpg$", file.name))
        ]
        if not flat:
            return super().classified(folder)
        return sorted(((file, name) for file, name in flat if name in (self.chosen or ("cat", "dog"))), key=self.order)

    def order(self, pair: tuple[Path, str]) -> tuple[str, int]:
        file, name = pair
        return name, int(file.name.split(".")[1])

    def files(self) -> Files:
        inner = self.images / "train"
        if inner.is_dir() and any(inner.glob("cat.*.jpg")):  # Kaggle's test folder has no labels
            return {"train": self.classified(inner)}
        return super().files()

    def missing(self) -> str:
        return (
            f"data=dogs_vs_cats: there is no folder {self.images}. Put the photographs there (cat/ and dog/, or"
            " Kaggle's train/cat.0.jpg …), or fetch them with data.download=true (extra `kaggle`, a Kaggle account).\n"
            f"{NEEDS_NOTHING}."
        )


def fetch(folder: Path) -> None:
    """Kaggle's files at `folder`: unpacked where they come as an archive, else linked.

    Raises:
        InputError: without kagglehub, or when Kaggle refuses.
    """
    fetched = from_kaggle(lambda kagglehub: kagglehub.competition_download(COMPETITION))
    if not (fetched / "train.zip").exists():
        link(fetched, folder)
        return
    part = folder.with_name(f".{folder.name}.part")
    shutil.rmtree(part, ignore_errors=True)  # of an attempt that was broken off
    with zipfile.ZipFile(fetched / "train.zip") as archive:
        archive.extractall(part)  # makes the folders above it
    part.rename(folder)
