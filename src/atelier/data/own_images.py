"""The base class of data sets of a user's image files."""

import zlib
from abc import abstractmethod
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Annotated, Any

import torch
from annotated_types import Gt
from torch import Tensor

from atelier.data.account import words_of_account
from atelier.data.cache import checksum_of_places, writing
from atelier.data.class_folders import ENDINGS, LeftOut, below, readable
from atelier.data.growing import Growing, check_room, copies
from atelier.data.images import FileShape, ImageData
from atelier.data.reading import read_images
from atelier.data.split import named_fold, named_split
from atelier.data.tensors import Tensors
from atelier.errors import InputError

Files = dict[str, list[tuple[Path, str]]]  # {split: [(file, class), …]}
LONGEST = 100  # bytes of a folder's name in the name of its cache file


class OwnImages(ImageData):
    """Base class of data sets of a user's image files.

    The name of a file decides its split, so that adding or removing a file does not move others. The cache file and
    run.json record the files.

    Args:
        images: path of the folder, or of an array's file.
        shape: (C, H, W) to which images are converted, with 1 or 3 channels.
        skip_broken: leave out and count unreadable images, instead of raising an error.
        white: the value of white in images of more than 8 bits; None: 1 for floats, 65,535 for integers.
        **options: see `ImageData`.
    """

    of_own_files = True

    def __init__(
        self,
        images: str,
        shape: FileShape,
        skip_broken: bool = False,
        white: Annotated[float, Gt(0)] | None = None,
        **options: Any,
    ) -> None:
        super().__init__(shape=shape, **options)
        self.images, self.skip_broken, self.white = Path(images), skip_broken, white

    @abstractmethod
    def files(self, left_out: LeftOut | None = None) -> Files:
        """The files of each split with their classes; adds unused files to `left_out`."""

    @property
    def cache_name(self) -> str:
        """The name contains a checksum of the folder's path, since several folders may have the same name."""
        name = readable(self.images.absolute().name).encode()[:LONGEST].decode(errors="ignore")
        how = "" if self.white is None else f"_white{self.white}"
        how += "_skip_broken" if self.skip_broken else ""
        return f"{name}_{'x'.join(map(str, self.shape))}_{checksum_of_places(self.folder, self.images)}{how}"

    @property
    def stamp(self) -> str:
        """A checksum of the files' names, splits, classes, sizes and times, and of the options for reading them."""
        entries = [(f"{split} {label}", file) for split, part in self.files().items() for file, label in part]
        return stamp_of(entries, f"{self.skip_broken} {self.white}")

    def gather(self, files: Files, classes: Sequence[str], test_share: float, left_out: LeftOut) -> Tensors:
        """Read the images into the tensors of a cache, which lie on disk, and set `about`.

        A label is the index of the class in `classes`. A split `val` follows the training images; without a split
        `test`, a share of the training images tests.

        Raises:
            InputError: if no training image is left, or there is no room on the disk.
        """
        with writing(self.path), Growing(self.folder, self.shape) as train, Growing(self.folder, self.shape) as test:
            named = [file for part in files.values() for file, _ in part if file.suffix.lower() in ENDINGS]
            check_room(self.path, len(named), self.shape)
            self.read(files["train"], classes, left_out, train)
            if "test" not in files:
                train.move(named_split(train.names(), test_share, seed=0, purpose="test")[1], test)
            if not len(train):
                if len(test):
                    told = f"leaves none of {len(test)} images to train on; give less"
                    raise InputError(f"data.test_share={test_share}: it {told}")
                held = left_out or "it holds no file"
                raise InputError(f"data.images={readable(self.images)}: no image is left to train on ({held})")
            trained = len(train)
            self.read(files.get("val", []), classes, left_out, train)
            self.read(files.get("test", []), classes, left_out, test)
            self.describe(train, test, len(train) - trained, left_out)
            return {
                **{"train_images": train.images(), "train_labels": train.labels()},
                **{"test_images": test.images(), "test_labels": test.labels()},
            }

    def describe(self, train: Growing, test: Growing, validate: int, left_out: LeftOut) -> None:
        """Set `about`; the last `validate` images of `train` are the validation set, if it has a folder."""
        aspects = [sample.aspect for sample in train.samples]
        self.about = {
            "files": {"train": train.names(), "test": test.names()},
            "validate": validate,
            "aspects": [min(aspects), max(aspects)],
            "copies": copies(sample.digest for sample in train.samples + test.samples),
            "left_out": left_out,
        }

    def read(self, files: Sequence[tuple[Path, str]], classes: Sequence[str], left_out: LeftOut, to: Growing) -> None:
        """Add the images among (file, class) pairs."""
        found = read_images([file for file, _ in files], self.shape, left_out, self.white, self.skip_broken)
        for row, image, aspect in found:
            file, label = files[row]
            to.add(image, classes.index(label), below(file, self.images), aspect)

    def account(self) -> tuple[dict[str, Any], list[str]]:
        known, lines = super().account()
        return known, [words_of_account(known, readable(self.images)), *lines]

    def carve(self, labels: Tensor) -> tuple[Tensor, Tensor]:
        if "files" not in self.about:  # arrays and made-up images have no file names
            return super().carve(labels)
        names, given = self.about["files"]["train"], self.about["validate"]
        if given and self.folds is not None:
            raise InputError(f"data.folds={self.folds}: {readable(self.images)} has a folder that validates; give null")
        if given:
            return torch.arange(len(labels) - given), torch.arange(len(labels) - given, len(labels))
        if self.folds is not None:
            return named_fold(names, self.folds, self.fold, self.split_seed)
        if self.validation_share:
            return named_split(names, self.validation_share, self.split_seed)
        return super().carve(labels)


def stamp_of(entries: Iterable[tuple[str, Path]], *more: object) -> str:
    """A checksum of (text, file) pairs, with the files' names, sizes and times, and of `more` values."""
    stamp = zlib.crc32(repr(more).encode())
    for word, file in entries:
        try:
            found = file.stat()
        except OSError:  # a broken link
            found = file.lstat()
        stamp = zlib.crc32(f"{word} {readable(file)} {found.st_size} {found.st_mtime_ns}".encode(), stamp)
    return f"{stamp:08x}"
