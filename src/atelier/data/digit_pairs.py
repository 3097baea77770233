"""Pairs of handwritten digits: is the first at most the second (EE559 report)?"""

from pathlib import Path
from typing import Annotated, Any

import torch
import torch.nn.functional as F
from annotated_types import Ge
from torch import Tensor

from atelier.arguments import Seed
from atelier.data.cache import read_cache
from atelier.data.digits import Digits
from atelier.data.images import ImageData
from atelier.data.reading import Fit
from atelier.data.tensors import Tensors
from atelier.data.vision import VisionData
from atelier.errors import InputError


class DigitPairs(ImageData):
    """Pairs from a set of digits: images (N, 2, H, W), labels (N, 3): first ≤ second (0 or 1), class of each digit.

    Training pairs consist of the set's training digits, test pairs of its test digits; no digit is in two pairs. Folds,
    and a part of the training set, are stratified by the answer.

    Args:
        draw: seed of the pairs.
        train_pairs, test_pairs: numbers of pairs.
        validation_pairs: number of further pairs of training digits for validation; 0: use `validation_share`. With
            `folds`, a part of the training pairs is used instead.
        pool: side in pixels of the squares that are averaged.
        repair: pair the digits of each training batch at random.
        **options: see `ImageData`; `shape` is that of a pair, (2, H, W), and `num_classes` the number of digits.
    """

    split_keys = (*ImageData.split_keys, "draw", "train_pairs", "validation_pairs")

    def __init__(
        self,
        draw: Seed,
        train_pairs: Annotated[int, Ge(1)],
        validation_pairs: Annotated[int, Ge(0)],
        test_pairs: Annotated[int, Ge(1)],
        pool: Annotated[int, Ge(1)],
        repair: bool = False,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        if validation_pairs and self.validation_share:
            both = f"data.validation_pairs={validation_pairs} data.validation_share={self.validation_share}"
            raise InputError(f"{both}: give one of them, and 0 for the other")
        self.draw, self.pool, self.repair = draw, pool, repair
        self.train_pairs, self.validation_pairs, self.test_pairs = train_pairs, validation_pairs, test_pairs

    @property
    def pairs(self) -> dict[str, int]:
        """The numbers of pairs to draw, {"train" or "test": number}."""
        return {"train": self.train_pairs + self.validation_pairs, "test": self.test_pairs}

    def load(self) -> tuple[Tensors, list[str] | None]:
        digits, classes = (self.fake(), None) if self.source == "fake" else read_cache(self.path)
        generator = torch.Generator().manual_seed(self.draw)
        pairs: Tensors = {}
        for part, count in self.pairs.items():
            labels = digits[f"{part}_labels"]
            if 2 * count > len(labels):
                keys = "train_pairs + data.validation_pairs" if part == "train" else "test_pairs"
                raise InputError(
                    f"data.{keys}={count}: {len(labels)} {part} digits make {len(labels) // 2} pairs at most"
                )
            rows = torch.randperm(len(labels), generator=generator)[: 2 * count]
            pairs[f"{part}_images"] = self.pooled(digits[f"{part}_images"][rows]).unflatten(0, (count, 2)).squeeze(2)
            pairs[f"{part}_labels"] = labels_of(labels[rows].view(count, 2))
        if self.source == "real":
            self.check_facts(pairs["train_images"], pairs["train_labels"], classes)
        return pairs, classes

    def pooled(self, digits: Tensor) -> Tensor:
        """Digits (N, 1, H, W) uint8, with squares of pixels averaged."""
        return F.avg_pool2d(digits.float(), self.pool).round().byte()

    def fake(self) -> Tensors:
        """Noise instead of the digits."""
        generator = torch.Generator().manual_seed(0)
        sides = [side * self.pool for side in self.shape[1:]]
        digits: Tensors = {}
        for part, count in self.pairs.items():
            size = (2 * count, 1, *sides)
            digits[f"{part}_images"] = torch.randint(256, size, dtype=torch.uint8, generator=generator)
            digits[f"{part}_labels"] = self.fake_labels(2 * count, generator)
        return digits

    def split(self, labels: Tensor) -> tuple[Tensor, Tensor]:
        train, val = super().split(labels[: self.train_pairs, 0])
        if self.validation_pairs and self.folds is None:
            val = torch.arange(self.train_pairs, len(labels))
        return train, val

    def on_after_batch_transfer(self, batch: tuple[Tensor, Tensor], dataloader_idx: int) -> tuple[Tensor, Tensor]:
        if self.repair and self.varies():
            batch = new_pairs(*batch)
        return super().on_after_batch_transfer(batch, dataloader_idx)

    def augmented(self, images: Tensor) -> Tensor:
        """Augment each digit of a pair independently."""
        return super().augmented(images.flatten(0, 1)[:, None]).view_as(images)

    def augmented_pixels(self, images: Tensor) -> Tensor:
        """Likewise; RandAugment's operations take one or three channels, and a pair has two."""
        return super().augmented_pixels(images.flatten(0, 1)[:, None]).view_as(images)

    @property
    def file_shape(self) -> tuple[int, ...]:
        _, height, width = self.shape
        return 1, height, 2 * width

    def load_file(self, path: Path, fit: Fit = "crop") -> Tensor:
        """Load an image of two digits side by side as a pair."""
        return torch.cat(super().load_file(path, fit).chunk(2, dim=2))


class MnistPairs(DigitPairs, VisionData):
    """Pairs of MNIST's digits; test pairs come from its official test set.

    Args:
        **options: see `DigitPairs`.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(name="mnist", **options)


class BundledPairs(DigitPairs, Digits):
    """Pairs of scikit-learn's digits."""


def labels_of(classes: Tensor) -> Tensor:
    """The labels (N, 3) of pairs of digits with the `classes` (N, 2).

    >>> labels_of(torch.tensor([[3, 7], [7, 3], [5, 5]]))
    tensor([[1, 3, 7],
            [0, 7, 3],
            [1, 5, 5]])
    """
    return torch.cat([(classes[:, :1] <= classes[:, 1:]).long(), classes], 1)


def new_pairs(images: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """Pair the digits of a batch, images (N, 2, H, W) and labels (N, 3), at random."""
    order = torch.randperm(2 * len(images), device=images.device)
    digits, classes = images.flatten(0, 1)[order], labels[:, 1:].flatten()[order]
    return digits.view_as(images), labels_of(classes.view(-1, 2))
