"""MNIST, Fashion-MNIST and CIFAR-10, downloaded and read by torchvision."""

import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor
from torchvision import datasets

from atelier.data.cache import checksum, read_about, read_cache
from atelier.data.images import NEEDS_NOTHING, ImageData
from atelier.data.tensors import Tensors
from atelier.errors import InputError

Name = Literal["mnist", "fashion_mnist", "cifar10"]

# {name: (torchvision's class, folder of its files, (number of training images, of test images))}
SETS: dict[str, tuple[Callable[..., Any], str, tuple[int, int]]] = {
    "mnist": (datasets.MNIST, "MNIST/raw", (60_000, 10_000)),
    "fashion_mnist": (datasets.FashionMNIST, "FashionMNIST/raw", (60_000, 10_000)),
    "cifar10": (datasets.CIFAR10, "cifar-10-batches-py", (50_000, 10_000)),
}
# {name: `checksum` of the published tensors}; torchvision always checks the files of CIFAR-10, but those of the other
# sets only when it downloads them.
CRC32 = {"mnist": 891878875, "fashion_mnist": 3985246127}


class VisionData(ImageData):
    """A data set of torchvision's.

    Args:
        name: mnist, fashion_mnist or cifar10.
        **options: see `ImageData`.
    """

    def __init__(self, name: Name, **options: Any) -> None:
        super().__init__(**options)
        self.set_name = name
        self.reader, raw, self.counts = SETS[name]
        self.raw = self.folder / raw

    @property
    def cache_name(self) -> str:
        return self.set_name

    @property
    def told(self) -> str:
        """The name of the data set in messages."""
        return f"data={self.set_name}"

    @property
    def fetched(self) -> bool:
        """Whether some of torchvision's files exist."""
        return self.raw.is_dir() and any(self.raw.iterdir())

    def check_can_make(self) -> None:
        if not self.fetched and not reachable(self.reader):
            raise InputError(self.missing("its server does not answer"))

    def make(self) -> tuple[Tensors, list[str] | None]:
        tensors: Tensors = {}
        classes: list[str] = []
        for split, count in zip(("train", "test"), self.counts, strict=True):
            images, labels, classes = self.read(split == "train")
            if len(images) != count:
                raise InputError(self.damaged(f"{len(images)} {split} images, not {count}"))
            tensors |= {f"{split}_images": images, f"{split}_labels": labels}
        if (found := checksum(tensors)) != CRC32.get(self.set_name, found):
            whose = [name for name, known in CRC32.items() if known == found] or ["nothing that was published"]
            raise InputError(self.damaged(f"its images and labels are those of {whose[0]}"))
        return tensors, classes

    def outdated(self, stamp: str) -> bool:
        """Whether an earlier version, which did not check the files, made the cache file of damaged files."""
        found = read_about(self.path).get("crc32")
        return found is not None and int(found) != CRC32.get(self.cache_name, int(found))

    def read(self, train: bool) -> tuple[Tensor, Tensor, list[str]]:
        """Images (N, C, H, W) uint8, labels (N,) int64 and class names of a split; downloaded if they are missing."""
        try:
            found = self.reader(self.folder, train=train, download=True)
        except (ValueError, AssertionError, RuntimeError, EOFError, OSError) as error:
            said = (str(error) or type(error).__name__).splitlines()[0].rstrip(": ")
            problem = self.damaged(said) if self.fetched else self.missing(f"it cannot be fetched ({said})")
            raise InputError(problem) from error
        images = torch.as_tensor(found.data)
        images = images.permute(0, 3, 1, 2) if images.dim() == 4 else images[:, None]
        return (
            images.contiguous(),
            torch.as_tensor(found.targets, dtype=torch.int64),
            [str(name).split(" - ")[0] for name in found.classes],
        )  # '3 - three'

    def missing(self, why: str) -> str:
        places = f"looked for {self.path} and {self.raw}"
        fetch = "Run this once with a network, or copy one of the two from a machine that has it"
        return f"{self.told} is not here, and {why}; {places}. {fetch}.\n{NEEDS_NOTHING}."

    def damaged(self, why: str) -> str:
        return f"{self.told}: {self.raw} is damaged or only half there ({why}). Delete it to fetch it anew."


class GrayCifar10(VisionData):
    """CIFAR-10 in grey, scaled to 28×28 (ELEC576 report, assignment 2).

    Args:
        **options: see `ImageData`.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(name="cifar10", **options)

    @property
    def cache_name(self) -> str:
        return "cifar10_gray28"

    @property
    def told(self) -> str:
        return "data=cifar10_gray28 (made from data=cifar10)"

    @property
    def coloured(self) -> Path:
        return self.folder / "cifar10.safetensors"

    def check_can_make(self) -> None:
        if not self.coloured.exists():
            super().check_can_make()

    def make(self) -> tuple[Tensors, list[str] | None]:
        tensors, classes = read_cache(self.coloured) if self.coloured.exists() else super().make()
        gray = {name: gray28(tensor) for name, tensor in tensors.items() if name.endswith("images")}
        return tensors | gray, classes


def gray28(images: Tensor) -> Tensor:
    """Convert colour images (N, 3, H, W) uint8 to (N, 1, 28, 28): luminance (ITU-R 601), bilinear, antialiased."""
    weights = torch.tensor([0.299, 0.587, 0.114]).view(1, 3, 1, 1)
    parts = []
    for part in images.split(5000):
        gray = (part * weights).sum(1, keepdim=True)
        small = torch.nn.functional.interpolate(gray, size=(28, 28), mode="bilinear", antialias=True)
        parts.append(small.round().clamp(0, 255).byte())
    return torch.cat(parts)


def reachable(reader: Any, seconds: float = 5) -> bool:
    """Whether the server of torchvision's download answers."""
    address = reader.mirrors[0] if hasattr(reader, "mirrors") else reader.url
    try:
        urllib.request.urlopen(urllib.request.Request(address, method="HEAD"), timeout=seconds).close()
    except urllib.error.HTTPError:
        return True  # an error status is an answer
    except (OSError, ValueError):
        return False
    return True
