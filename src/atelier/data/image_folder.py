"""A user's images in class folders."""

import zlib
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

from annotated_types import Interval

from atelier.data.class_folders import (
    ENDINGS,
    LeftOut,
    class_folders,
    class_name,
    files_below,
    readable,
    shown_in,
    split_folders,
    what_is_there,
)
from atelier.data.own_images import Files, OwnImages
from atelier.data.tensors import Tensors
from atelier.errors import InputError

LONGEST = 60  # bytes of the names of classes in the name of a cache file


class ImageFolder(OwnImages):
    """`<images>/<class>/…`, or `<images>/train/<class>/…` beside `val` and `test`, scaled to a common size.

    Images are recognised by their content, at any depth below a class folder. Splits may also be named `training`,
    `valid`, `validation` and `testing`, in upper or lower case. Without a folder `val` or `test`, a part of the
    training images takes its place.

    Args:
        classes: class folders to use, in the order of their labels; None: all, sorted by name.
        test_share: share of the test set, if there is no folder `test`; 0: none.
        **options: see `OwnImages`.
    """

    split_keys = (*OwnImages.split_keys, "test_share")

    def __init__(
        self, classes: Sequence[str | int] | None, test_share: Annotated[float, Interval(ge=0, lt=1)], **options: Any
    ) -> None:
        super().__init__(**options)
        self.chosen = None if classes is None else [class_name(str(name)) for name in classes]
        if twice := [name for name, count in Counter(self.chosen or ()).items() if count > 1]:
            raise InputError(f"data.classes={list(classes or ())}: {twice[0]} is there twice; leave one out")
        self.test_share = float(test_share)

    @property
    def cache_name(self) -> str:
        chosen = "" if self.chosen is None else f"_{in_a_name(self.chosen)}"
        return f"{super().cache_name}{chosen}_test{self.test_share}"

    def check_source(self) -> None:
        if self.source == "real":
            self.files()

    def files(self, left_out: LeftOut | None = None) -> Files:
        """The files of each split with their classes; only of `train` if it is divided later.

        Raises:
            InputError: if the folder does not exist, has no class folder or no image, has a single class that was not
                chosen by `classes`, or a split has a class that the training set lacks.
        """
        if not self.images.is_dir():
            raise InputError(self.missing())
        left_out = LeftOut(self.images) if left_out is None else left_out
        folders = self.folders(left_out)
        files = {split: self.classified(folder, left_out) for split, folder in folders.items()}
        classes = {split: self.classes_of(folder) for split, folder in folders.items()}
        if self.chosen is None and len(classes["train"]) == 1:
            only = classes["train"][0]
            raise InputError(
                f"data.images={readable(self.images)}: one class only, {only}; give two or more,"
                f" or data.classes=[{only}] for a single class"
            )
        for split in classes:
            if strange := [name for name in classes[split] if name not in classes["train"]]:
                raise InputError(
                    f"data.images={readable(self.images)}: {folders[split].name}/ has {', '.join(strange)}, which"
                    f" {folders['train'].name}/ has not; that has {', '.join(classes['train'])}"
                )
        return files

    def missing(self) -> str:
        return f"data.images={readable(self.images)}: {what_is_there(self.images)}"

    def folders(self, left_out: LeftOut) -> dict[str, Path]:
        """The folder of each split."""
        return split_folders(self.images, left_out)

    def classes_of(self, folder: Path) -> list[str]:
        """The classes of a split's folder that are used."""
        there = class_folders(folder)
        return list(there) if self.chosen is None else [name for name in self.chosen if name in there]

    def classified(self, folder: Path, left_out: LeftOut) -> list[tuple[Path, str]]:
        """All files below the class folders of a split's folder, also other files than images, with their classes."""
        there = class_folders(folder)
        if self.chosen is not None and (unknown := [name for name in self.chosen if name not in there]):
            found = f"has {', '.join(there)}" if there else what_is_there(folder)
            raise InputError(f"data.classes={unknown}: {readable(folder)} {found}")
        if not there or self.chosen == []:
            raise InputError(f"data.images={readable(folder)}: {what_is_there(folder)}")
        files: dict[str, list[Path]] = {name: [] for name in self.chosen or there}
        for path in shown_in(folder, left_out):
            name = class_name(path.name)
            if not path.is_dir():
                left_out.add("beside the class folders", path)
            elif name in files:
                files[name] += files_below(path, left_out)
            elif name not in there:
                broken = [file for file in files_below(path) if file.suffix.lower() in ENDINGS]
                files[name] = broken  # `read_images` reports or skips them
                if not broken:
                    left_out.add("folder without an image", path)
            else:
                left_out.add("not among data.classes", path)
        return [(file, name) for name, found in files.items() for file in found]

    def make(self) -> tuple[Tensors, list[str]]:
        left_out = LeftOut(self.images)
        files = self.files(left_out)
        classes = self.classes_of(self.folders(LeftOut(self.images))["train"])
        return self.gather(files, classes, self.test_share, left_out), classes


def in_a_name(classes: Sequence[str]) -> str:
    """The classes as a part of a file's name: joined by `-`, or a checksum if that is too long or ambiguous.

    >>> in_a_name(["cat", "dog"]), in_a_name(["cat-dog"])
    ('cat-dog', 'ca5378e0')
    """
    joined = "-".join(classes)
    plain = joined.count("-") < max(1, len(classes)) and "/" not in joined
    return joined if plain and len(joined.encode()) <= LONGEST else f"{zlib.crc32(repr(list(classes)).encode()):08x}"
