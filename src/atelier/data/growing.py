"""Images that are read one by one and lie on disk, so that a folder of them may be larger than the memory."""

import mmap
import shutil
import tempfile
from collections import defaultdict
from collections.abc import Iterable, Sequence
from hashlib import blake2b
from math import prod
from pathlib import Path
from typing import NamedTuple, Self

import torch
from torch import Tensor

from atelier.errors import InputError


class Sample(NamedTuple):
    """What is known of an image: label, name of its file, aspect ratio (width / height), digest of its pixels."""

    label: int
    name: str
    aspect: float
    digest: bytes


class Growing:
    """uint8 images (C, H, W) of one `shape`, to which more can be added, with the `samples` that describe them.

    They lie in a file without a name in `folder`, which vanishes when it is no longer used, even if the process dies.
    """

    def __init__(self, folder: Path, shape: Sequence[int]) -> None:
        self.shape, self.samples = tuple(shape), list[Sample]()
        self.file = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115 (`__exit__` closes it)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.file.close()

    def __len__(self) -> int:
        return len(self.samples)

    def add(self, image: Tensor, label: int, name: str, aspect: float) -> None:
        self.file.write(image.numpy().data)
        self.samples.append(Sample(label, name, aspect, digest(image)))

    def images(self) -> Tensor:
        """The images (N, C, H, W) so far: a mapping of the file, which also remains when the file is closed."""
        if not self.samples:
            return torch.empty((0, *self.shape), dtype=torch.uint8)
        self.file.flush()
        mapped = mmap.mmap(self.file.fileno(), len(self) * prod(self.shape))
        return torch.frombuffer(mapped, dtype=torch.uint8).view(-1, *self.shape)

    def labels(self) -> Tensor:
        return torch.tensor([sample.label for sample in self.samples], dtype=torch.int64)

    def names(self) -> list[str]:
        return [sample.name for sample in self.samples]

    def move(self, rows: Tensor, other: "Growing") -> None:
        """Move some rows (N,) to the end of `other`; those behind them move up."""
        images, gone, kept = self.images(), set(rows.tolist()), list[Sample]()
        for row, sample in enumerate(self.samples):
            if row in gone:
                other.add(images[row], sample.label, sample.name, sample.aspect)
                continue
            if len(kept) < row:
                images[len(kept)] = images[row]
            kept.append(sample)
        self.samples = kept
        self.file.seek(len(kept) * prod(self.shape))


def digest(image: Tensor) -> bytes:
    return blake2b(image.numpy().data, digest_size=16).digest()


def copies(digests: Iterable[bytes]) -> list[list[int]]:
    """Groups of rows with equal images, for images that occur more than once."""
    rows = defaultdict(list)
    for row, one in enumerate(digests):
        rows[one].append(row)
    return [group for group in rows.values() if len(group) > 1]


def check_room(path: Path, count: int, shape: Sequence[int]) -> None:
    """Raise InputError if the disk of a cache file `path` has no room to read so many images (C, H, W) into it."""
    needed, free = 2 * count * prod(shape), shutil.disk_usage(path.parent).free  # 2: the images as read, and the file
    if needed > free:
        size = "×".join(map(str, shape))
        raise InputError(
            f"{path} cannot be written: {count:,} images of {size} need {needed / 1e9:.1f} GB while they are read,"
            f" {free / 1e9:.1f} GB are free there (paths.data, DATA_DIR say where to write; data.shape, how large)"
        )
