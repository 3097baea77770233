"""The base class of image data sets: uint8 tensors in a cache file, normalised and augmented on the device."""

import math
import warnings
from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import torch
from annotated_types import Ge, Gt, Interval
from torch import Tensor

from atelier.data.account import DIVIDED_ANEW, checksum_of, mean_and_std, told_changed
from atelier.data.augment import CropFlipCutout, PhotoJitter
from atelier.data.cache import alone, read_about, read_whole, write_cache
from atelier.data.class_folders import readable
from atelier.data.reading import Fit, UnknownRange, UnreadableImage, load_image
from atelier.data.tensors import TensorData, Tensors
from atelier.errors import InputError

Side = Annotated[int, Ge(1)]
FileShape = tuple[Literal[1, 3], Side, Side]  # (C, H, W) to which image files can be converted
FAKE_IMAGES = {"train": 2000, "test": 500}  # numbers of made-up images; more for a larger `train_size`
GROUP = 8  # images of a batch with the same random operations of RandAugment
NEEDS_NOTHING = "data=digits and others need no download, see docs/data.md; data.source=fake tries this one out"


class ImageData(TensorData):
    """Base class of image data sets: `prepare_data` writes the cache file, `load` maps it into memory.

    Args:
        folder: folder of the cache file.
        source: "real", or "fake": random images of the same shape and classes, for trials without the data.
        shape: (C, H, W) of an image, checked against the data.
        mean, std: of the training images' values, scaled to 0 to 1, a number or one for each channel; checked against
            the data. A single std beside means of channels is the deviation from these. With 0 and 1, values are only
            divided by 255.
        num_classes: number of classes, checked against the data; None if the labels are no classes.
        augment: whether training batches are augmented.
        augmentation: function of normalised images (N, C, H, W) on the device.
        operations: number of RandAugment's random operations on each training image (Cubuk et al. 2019,
            arXiv:1909.13719), as torchvision has them; `GROUP` images of a batch share theirs. 0: none.
        magnitude: strength of these operations, 0 to 30.
        mixing: function of normalised images and classes that mixes the samples of a training batch, such as
            torchvision's MixUp; the labels become shares (N, num_classes).
        rebuild: write the cache file again.
        **options: see `TensorData`.
    """

    stored_as = torch.uint8

    def __init__(
        self,
        folder: str,
        source: Literal["real", "fake"],
        shape: Sequence[Side],
        mean: float | Sequence[float],
        std: Annotated[float, Gt(0)] | Sequence[Annotated[float, Gt(0)]],
        augment: bool,
        augmentation: Callable[[Tensor], Tensor] | None,
        rebuild: bool,
        num_classes: Annotated[int, Ge(1)] | None = None,
        operations: Annotated[int, Ge(0)] = 0,
        magnitude: Annotated[int, Interval(ge=0, le=30)] = 9,
        mixing: Callable[[Tensor, Tensor], tuple[Tensor, Tensor]] | None = None,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        self.folder, self.source = Path(folder), source
        self.shape, self.num_classes = tuple(shape), num_classes
        self.stated = f"data.mean={mean} data.std={std}"
        self.mean, self.std = of_channels("mean", mean, self.shape), of_channels("std", std, self.shape)
        self.offset, self.scale = torch.as_tensor(-self.mean / self.std), 1 / (255 * self.std)
        if augment and augmentation is None:
            raise InputError("data.augment=true: this data set has no data.augmentation; give false")
        self.augmentation = augmentation if augment else None
        if isinstance(self.augmentation, CropFlipCutout):
            self.augmentation.check(self.shape)
        self.rand_augment: Callable[[Tensor], Tensor] | None = None
        if operations:
            from torchvision.transforms.v2 import RandAugment  # slow to import

            if self.file_shape[0] not in (1, 3):  # of a pair: the digits have one channel each
                told = f"their images have 1 or 3 channels, and not data.shape={list(self.shape)}"
                raise InputError(f"data.operations={operations}: {told}; give 0")
            self.rand_augment = RandAugment(operations, magnitude)
        self.mixing = mixing
        self.rebuild = rebuild

    @property
    @abstractmethod
    def cache_name(self) -> str:
        """The cache file's name without its ending; it differs for data that `make` makes in another way."""

    @abstractmethod
    def make(self) -> tuple[Tensors, list[str] | None]:
        """The four tensors of the cache, and the class names, if there are any."""

    @property
    def stamp(self) -> str:
        """Identifies the files of which the cache file was made; if it changes, the cache file is written again."""
        return ""

    def check_can_make(self) -> None:
        """Raise InputError if `make` lacks files or a connection; a quick check."""

    def check_source(self) -> None:
        if self.source == "real" and not self.path.exists():
            self.check_can_make()

    @property
    def path(self) -> Path:
        return self.folder / f"{self.cache_name}.safetensors"

    @property
    def cached(self) -> bool:
        """Whether the cache file is here; False also if its name depends on files that are not."""
        try:
            return self.path.exists()
        except InputError:
            return False

    def prepare_data(self) -> None:
        if self.source != "real":
            return
        stamp = self.stamp  # looks at each file, before `make` does: a change while it reads shows at the next start
        if not self.is_due(stamp):
            return
        with alone(self.path):
            if self.is_due(stamp):  # another process may have made it
                tensors, classes = self.make()
                write_cache(self.path, tensors, classes, {**self.about, **({"stamp": stamp} if stamp else {})})
        self.rebuild = False

    def is_due(self, stamp: str) -> bool:
        """Whether the cache file is to be written: it is asked for, missing, or outdated."""
        return self.rebuild or not self.path.exists() or self.outdated(stamp)

    def outdated(self, stamp: str) -> bool:
        """Whether the cache file was made of other files than those with `stamp`."""
        return bool(stamp) and read_about(self.path).get("stamp", stamp) != stamp

    def load(self) -> tuple[Tensors, list[str] | None]:
        if self.source == "fake":
            return self.fake(), None
        tensors, classes, self.about = read_whole(self.path)
        self.check_facts(tensors["train_images"], tensors["train_labels"], classes)
        return tensors, classes

    def check_same(self, recorded: Mapping[str, Any] | None) -> None:
        if not self.of_own_files or not recorded or "checksum" not in recorded:
            return
        if self.stamp == recorded["stamp"]:
            return
        self.prepare_data()  # equal files may have other times, such as copies from another machine
        if checksum_of(now := read_about(self.path)) == recorded["checksum"]:
            return
        if self.changed == "refuse":
            raise InputError(told_changed(now, recorded))
        if "files" not in now:  # whose names would keep their parts
            warnings.warn(DIVIDED_ANEW, stacklevel=2)

    def fake(self) -> Tensors:
        """Noise instead of the images, with random classes."""
        generator = torch.Generator().manual_seed(0)
        tensors = {}
        for split, count in self.fake_images().items():
            size = (count, *self.shape)
            tensors[f"{split}_images"] = torch.randint(256, size, dtype=torch.uint8, generator=generator)
            tensors[f"{split}_labels"] = self.fake_labels(count, generator)
        return tensors

    def fake_images(self) -> dict[str, int]:
        """The number of made-up images of each split, enough for `train_size` and the validation set."""
        share = self.validation_share if self.folds is None else 1 / self.folds
        needed = math.ceil(((self.train_size or 0) + 1) / (1 - share))  # + 1: the validation set may be rounded up
        return FAKE_IMAGES | {"train": max(FAKE_IMAGES["train"], needed)}

    def fake_labels(self, count: int, generator: torch.Generator) -> Tensor:
        return torch.randint(self.num_classes or 1, (count,), generator=generator)

    def check_facts(self, images: Tensor, labels: Tensor, classes: list[str] | None = None) -> None:
        """Check `shape`, `num_classes` and that augmentation fits the labels; warn about a wrong `mean` or `std`."""
        if tuple(images.shape[1:]) != self.shape:
            raise InputError(f"data.shape={list(self.shape)}: the images in {self.path} are {list(images.shape[1:])}")
        count = max(len(classes or ()), int(labels.max()) + 1)
        few = classes is not None and count < (self.num_classes or 0)  # without names, the last may have no sample
        if self.num_classes is not None and (few or count > self.num_classes):
            named = f", {', '.join(classes)}" if classes else ""
            raise InputError(f"data.num_classes={self.num_classes}: {self.path} has {count} classes{named}")
        moved = isinstance(self.augmentation, (CropFlipCutout, PhotoJitter))
        if labels.dim() > 2 and (moved or self.rand_augment):
            told = f"labels {list(labels.shape[1:])} would not move with their images"
            raise InputError(f"data.{'augment' if moved else 'operations'}: {told}; leave it out")
        each = [isinstance(one, Tensor) for one in (self.mean, self.std)]
        if not torch.as_tensor(self.mean).any() and bool((torch.as_tensor(self.std) == 1).all()):
            return
        mean, std = mean_and_std(images, by_channel=any(each))
        if not each[0]:  # one number is for all channels
            mean = mean.mean(0, keepdim=True)
        if not each[1]:
            std = std.square().mean(0, keepdim=True).sqrt()
        pairs = (mean, self.mean), (std, self.std)
        if any(bool(((found - torch.as_tensor(given).flatten()).abs() > 0.05).any()) for found, given in pairs):
            numbers = [",".join(f"{value:.3f}" for value in found.tolist()) for found, _ in pairs]
            fitting = [f"[{number}]" if "," in number else number for number in numbers]
            found_there = f"data.mean={fitting[0]} data.std={fitting[1]}"
            warnings.warn(f"{self.stated}, but the training images have {found_there}", stacklevel=2)

    def normalise(self, images: Tensor) -> Tensor:
        """Normalise uint8 images (…, C, H, W) to zero mean and unit variance; in a single operation, where `mean` and
        `std` are numbers for all channels and the images may have any shape."""
        if self.offset.device != images.device:
            self.offset = self.offset.to(images.device)
        if isinstance(self.scale, Tensor):
            return images * self.scale.to(images.device) + self.offset
        return torch.add(self.offset, images, alpha=self.scale)

    def augmented(self, images: Tensor) -> Tensor:
        return images if self.augmentation is None else self.augmentation(images)

    def augmented_pixels(self, images: Tensor) -> Tensor:
        if self.rand_augment is None:
            return images
        return torch.cat([self.rand_augment(part) for part in images.split(GROUP)])

    def mixed(self, images: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        return (images, labels) if self.mixing is None else self.mixing(images, labels)

    def picture(self, images: Tensor) -> Tensor:
        """Convert normalised images back to values 0 to 1."""
        std, mean = (one.to(images) if isinstance(one, Tensor) else one for one in (self.std, self.mean))
        return (images * std + mean).clamp(0, 1)

    @property
    def file_shape(self) -> tuple[int, ...]:
        """(C, H, W) to which a user's file is converted."""
        return self.shape

    def load_file(self, path: Path, fit: Fit = "crop") -> Tensor:
        """Load a user's file as a uint8 input of this data set's shape; `fit`: see `atelier.data.reading.fitted`.

        Raises:
            InputError: if the file is no readable image.
        """
        try:
            return load_image(path, self.file_shape, fit, getattr(self, "white", None))
        except UnknownRange as error:
            told = str(error) if hasattr(self, "white") else f"{error.reason}; convert it to 8 bits"
            raise InputError(f"inputs: {readable(path)}: {told}") from error
        except UnreadableImage as error:
            raise InputError(f"inputs: {readable(path)} is no image that can be read ({error})") from error


def of_channels(key: str, value: float | Sequence[float], shape: Sequence[int]) -> float | Tensor:
    """A number for all channels as it is; numbers for each channel of images of a `shape` as a tensor (C, 1, 1).

    Raises:
        InputError: if their number is not that of the channels.
    """
    if isinstance(value, (int, float)):
        return value
    if len(shape) != 3 or len(value) != shape[0]:
        channels = f", or {shape[0]} for the channels" if len(shape) == 3 else ""
        raise InputError(f"data.{key}={list(value)}: give one number{channels} of data.shape={list(shape)}")
    return torch.tensor(value, dtype=torch.float32).view(-1, 1, 1)
