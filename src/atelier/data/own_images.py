"""The base class of data sets of a user's image files."""

import zlib
from abc import abstractmethod
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Annotated, Any

import torch
from annotated_types import Gt
from torch import Tensor

from atelier.data.account import words_of_account
from atelier.data.class_folders import LeftOut, below, readable
from atelier.data.images import FileShape, ImageData
from atelier.data.reading import load_images
from atelier.data.split import named_fold, named_split
from atelier.data.tensors import Tensors
from atelier.errors import InputError

Files = dict[str, list[tuple[Path, str]]]  # {split: [(file, class), …]}


@dataclass
class Part:
    """A split: images (N, C, H, W) uint8, labels (N,), names of the files, and their aspect ratios (width / height)."""

    images: Tensor
    labels: Tensor
    names: list[str]
    aspects: list[float]


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
        place = self.images.absolute()
        inside = place.is_relative_to(self.folder.absolute())
        place = place.relative_to(self.folder.absolute()) if inside else place
        crc32 = zlib.crc32(readable(place).encode())
        return f"{readable(place.name)}_{'x'.join(map(str, self.shape))}_{crc32:08x}"

    @property
    def stamp(self) -> str:
        """A checksum of the files' names, splits, classes, sizes and times, and of the options for reading them."""
        entries = [(f"{split} {label}", file) for split, part in self.files().items() for file, label in part]
        return stamp_of(entries, f"{self.skip_broken} {self.white}")

    def read(self, files: Sequence[tuple[Path, str]], classes: Sequence[str], left_out: LeftOut) -> Part:
        """Read the images among (file, class) pairs; a label is the index of the class in `classes`."""
        found = load_images([file for file, _ in files], self.shape, left_out, self.white, self.skip_broken)
        kept = [files[row] for row in found.rows]
        labels = torch.tensor([classes.index(label) for _, label in kept], dtype=torch.int64)
        return Part(found.images, labels, [below(file, self.images) for file, _ in kept], found.aspects)

    def together(self, parts: Mapping[str, Part], test_share: float, left_out: LeftOut) -> Tensors:
        """Combine the splits to the tensors of a cache, and set `about`; a split `val` follows the training images.

        Raises:
            InputError: if no training image is left.
        """
        train, given = parts["train"], parts.get("val")
        if "test" in parts:
            test = parts["test"]
        else:
            rows, tested = named_split(train.names, test_share, seed=0, purpose="test")
            train, test = taken(train, rows), taken(train, tested)
        if not len(train.names):
            raise InputError(f"data.images={readable(self.images)}: no image is left to train on ({left_out})")
        if given:
            train = joined(train, given)
        self.about = {
            "files": {"train": train.names, "test": test.names},
            "validate": len(given.names) if given else 0,
            "aspects": [min(train.aspects), max(train.aspects)],
            "copies": copies(torch.cat([train.images, test.images])),
            "left_out": left_out,
        }
        return {
            **{"train_images": train.images, "train_labels": train.labels},
            **{"test_images": test.images, "test_labels": test.labels},
        }

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


def copies(images: Tensor) -> list[list[int]]:
    """Groups of rows with equal images, for images that occur more than once."""
    rows = defaultdict(list)
    for row, image in enumerate(images.numpy()):
        rows[blake2b(image.tobytes(), digest_size=16).digest()].append(row)
    return [group for group in rows.values() if len(group) > 1]


def taken(part: Part, rows: Tensor) -> Part:
    chosen = rows.tolist()
    names, aspects = ([many[row] for row in chosen] for many in (part.names, part.aspects))
    return Part(part.images[rows], part.labels[rows], names, aspects)


def joined(first: Part, second: Part) -> Part:
    return Part(
        torch.cat([first.images, second.images]),
        torch.cat([first.labels, second.labels]),
        first.names + second.names,
        first.aspects + second.aspects,
    )
