"""What the sets of a user's own image files have in common: which files they are, and what is known of them."""

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

Files = dict[str, list[tuple[Path, str]]]  # of each split: file and class


@dataclass
class Part:
    """Images (N, C, H, W) uint8 of a split with their labels (N,), the names of their files, and width / height."""

    images: Tensor
    labels: Tensor
    names: list[str]
    aspects: list[float]


class OwnImages(ImageData):
    """Base of the sets of a user's own image files.

    Which part a file belongs to follows from its name alone: neither a file that is added nor one that goes moves
    another. What was found is kept with the images, and in a run's run.json.

    Args:
        images: where the files lie.
        shape: (C, H, W) that the images are made into, of 1 or 3 channels.
        skip_broken: leave out images that cannot be read, and count them.
        white: which value is white in images of more than 8 bits; None: 1 of floats, 65,535 of whole numbers.
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
        """The files of each split, with their classes; what is left out is added to `left_out`."""

    @property
    def cache_name(self) -> str:
        """Folders of one name are told apart by where they lie."""
        place = self.images.absolute()
        inside = place.is_relative_to(self.folder.absolute())
        place = place.relative_to(self.folder.absolute()) if inside else place
        crc32 = zlib.crc32(readable(place).encode())
        return f"{readable(place.name)}_{'x'.join(map(str, self.shape))}_{crc32:08x}"

    @property
    def stamp(self) -> str:
        """Of the files' names, splits, classes, sizes and times, and of how they are read."""
        entries = [(f"{split} {label}", file) for split, part in self.files().items() for file, label in part]
        return stamp_of(entries, f"{self.skip_broken} {self.white}")

    def read(self, files: Sequence[tuple[Path, str]], classes: Sequence[str], left_out: LeftOut) -> Part:
        """The images among files with their classes, whose places in `classes` are the labels."""
        found = load_images([file for file, _ in files], self.shape, left_out, self.white, self.skip_broken)
        kept = [files[row] for row in found.rows]
        labels = torch.tensor([classes.index(label) for _, label in kept], dtype=torch.int64)
        return Part(found.images, labels, [below(file, self.images) for file, _ in kept], found.aspects)

    def together(self, parts: Mapping[str, Part], test_share: float, left_out: LeftOut) -> Tensors:
        """The tensors of a cache: what validates stands at the end of the training images; `about` is set.

        Raises:
            InputError: if nothing is left to train on.
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
        if "files" not in self.about:  # rows of an array, and made-up images, have no names
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
    """A checksum of files' names, sizes and times, each with a word about it."""
    stamp = zlib.crc32(repr(more).encode())
    for word, file in entries:
        try:
            found = file.stat()
        except OSError:  # a link that leads nowhere
            found = file.lstat()
        stamp = zlib.crc32(f"{word} {readable(file)} {found.st_size} {found.st_mtime_ns}".encode(), stamp)
    return f"{stamp:08x}"


def copies(images: Tensor) -> list[list[int]]:
    """Rows of equal images, of those that are there more than once."""
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
