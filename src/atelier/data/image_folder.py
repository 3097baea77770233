"""Any folder of class folders of images."""

import zlib
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any

import torch
from annotated_types import Interval

from atelier.data.class_folders import ENDINGS, class_folders, split_folders
from atelier.data.images import FileShape, ImageData, load_images
from atelier.data.split import with_test_part
from atelier.data.tensors import Tensors
from atelier.errors import InputError

Files = dict[str, list[tuple[Path, str]]]  # of each split: file and class


class ImageFolder(ImageData):
    """`<images>/<class>/*.jpg`, or `<images>/train/<class>/…` and `<images>/test/<class>/…`, scaled to one size.

    Args:
        images: the folder.
        classes: which class folders to take, in the order of their labels; None takes all, sorted by name.
        test_share: the part of each class that tests, where there is no folder `test`; 0: none.
        shape: (C, H, W) that the images are made into, of 1 or 3 channels.
        **options: see `ImageData`.
    """

    def __init__(
        self,
        images: str,
        classes: Sequence[str] | None,
        test_share: Annotated[float, Interval(ge=0, lt=1)],
        shape: FileShape,
        **options: Any,
    ) -> None:
        super().__init__(shape=shape, **options)
        self.images, self.chosen, self.test_share = Path(images), classes, float(test_share)

    @cached_property  # it asks for every file
    def cache_name(self) -> str:
        stamp, files = 0, self.files()
        for split in files.values():
            for file, label in split:
                found = file.stat()
                stamp = zlib.crc32(f"{label}/{file.name} {found.st_size} {found.st_mtime_ns}".encode(), stamp)
        tested = "" if "test" in files else f"_test{self.test_share}"
        return f"{self.images.name}_{'x'.join(map(str, self.shape))}_{stamp:08x}{tested}"

    def check_source(self) -> None:
        if self.source == "real":
            self.files()

    def files(self) -> Files:
        """The files of each split, with their classes; of one split only, where the folder has no `train` and `test`.

        Raises:
            InputError: if there is no such folder, no class folder or no image in it, only one class that was not
                chosen, or a class to test that is not trained.
        """
        if not self.images.is_dir():
            raise InputError(self.missing())
        files = {split: self.classified(folder) for split, folder in split_folders(self.images).items()}
        classes = {split: list(dict.fromkeys(label for _, label in content)) for split, content in files.items()}
        if self.chosen is None and len(classes["train"]) == 1:
            only = classes["train"][0]
            raise InputError(
                f"data.images={self.images}: one class only, {only}; give two or more,"
                f" or data.classes=[{only}] where nothing is to be told apart"
            )
        if strange := [name for name in classes.get("test", []) if name not in classes["train"]]:
            raise InputError(
                f"data.images={self.images}: test/ has {', '.join(strange)}, which train/ has not;"
                f" train/ has {', '.join(classes['train'])}"
            )
        return files

    def missing(self) -> str:
        return f"data.images={self.images}: there is no such folder"

    def classified(self, folder: Path) -> list[tuple[Path, str]]:
        there = class_folders(folder)
        wanted = there if self.chosen is None else list(self.chosen)
        if unknown := [name for name in wanted if name not in there]:
            raise InputError(
                f"data.classes={unknown}: {folder} has {', '.join(there) or 'no class folders with images'}"
            )
        found = [
            (file, name)
            for name in wanted
            for file in sorted((folder / name).iterdir())
            if file.suffix.lower() in ENDINGS
        ]
        if not found:
            raise InputError(f"data.images={folder}: no images in folders named by their classes")
        return found

    def make(self) -> tuple[Tensors, list[str]]:
        files = self.files()
        classes = list(dict.fromkeys(label for _, label in files["train"]))
        tensors: Tensors = {}
        for split, content in files.items():
            found = [file for file, _ in content]
            tensors[f"{split}_images"] = load_images(found, self.shape, f"Reading {split} images")
            tensors[f"{split}_labels"] = torch.tensor([classes.index(label) for _, label in content])
        if "test" not in files:
            tensors = with_test_part(tensors["train_images"], tensors["train_labels"], self.test_share, seed=0)
        return tensors, classes
