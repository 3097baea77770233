"""Splits of data sets: stratified by class, or by the names of the samples, independent of other samples."""

import hashlib
from collections.abc import Sequence

import torch
from torch import Tensor

from atelier.errors import InputError


def check_fold(folds: int | None, fold: int) -> None:
    """
    Raises:
        InputError: if there is no such fold, or a fold without a number of folds, which would be no repeat.
    """
    if folds is None and fold:
        raise InputError(f"data.fold={fold}: give data.folds, the number of folds, too")
    if folds is not None and fold >= folds:
        raise InputError(f"data.folds={folds} data.fold={fold}: give a fold from 0 to {folds - 1}")


def stratified_split(labels: Tensor, share: float, seed: int) -> tuple[Tensor, Tensor]:
    """Row indices of the larger and of the smaller part, each in ascending order.

    The smaller part has round(share · N) rows: from each class its share, rounded down, and the missing rows from the
    classes with the largest remainders, so that equal classes stay as equal as possible.

    Args:
        labels: (N,) or (N, K), see `classes_of`.
        share: size of the smaller part, between 0 and 1.
        seed: seed of the random choice.
    """
    classes, counts = classes_of(labels)
    generator = torch.Generator().manual_seed(seed)
    quota = counts * share
    take = quota.floor().long()
    missing = round(len(labels) * share) - int(take.sum())
    # A random order before the stable sort, so that no class is favoured among equal remainders.
    shuffled = torch.randperm(len(counts), generator=generator)
    order = shuffled[(quota - take)[shuffled].argsort(descending=True, stable=True)]
    take[order[:missing]] += 1
    rows = torch.randperm(len(labels), generator=generator)
    rows = rows[classes[rows].argsort(stable=True)]  # grouped by class, in random order within each class
    rank = torch.arange(len(rows)) - (counts.cumsum(0) - counts)[classes[rows]]  # position within the class
    small = rank < take[classes[rows]]
    return rows[~small].sort().values, rows[small].sort().values


def classes_of(labels: Tensor) -> tuple[Tensor, Tensor]:
    """The class (N,) of each row, and the number (C,) of rows of each class.

    Args:
        labels: (N,) or (N, K). K whole numbers in a row form a class. Floats are no classes, and all rows are of one:
            in a class each, rare values, such as the extremes, would never be in a small part.
    """
    if labels.is_floating_point():
        labels = torch.zeros(len(labels), dtype=torch.int64)
    whole = None if labels.dim() == 1 else 0
    classes, counts = torch.unique(labels, dim=whole, return_inverse=True, return_counts=True)[1:]
    return classes, counts


def with_test_part(images: Tensor, labels: Tensor, share: float, seed: int) -> dict[str, Tensor]:
    """The four tensors of a data set without an official test set: a fixed `share` of each class is the test set."""
    parts = zip(("train", "test"), stratified_split(labels, share, seed), strict=True)
    return {
        f"{part}_{name}": tensor[rows]
        for part, rows in parts
        for name, tensor in (("images", images), ("labels", labels))
    }


def stratified_fold(labels: Tensor, folds: int, fold: int, seed: int) -> tuple[Tensor, Tensor]:
    """Row indices outside and inside a fold, each in ascending order; the folds are disjoint and cover all rows.

    The sizes of the folds differ by at most one row, and so do the numbers of each class in them.

    Args:
        labels: (N,) or (N, K), see `classes_of`.
        folds: number of folds.
        fold: index of the fold, from 0.
        seed: seed of the random choice.
    """
    classes, _ = classes_of(labels)
    rows = torch.randperm(len(labels), generator=torch.Generator().manual_seed(seed))
    rows = rows[classes[rows].argsort(stable=True)]  # grouped by class, in random order within each class
    inside = torch.arange(len(rows)) % folds == fold
    return rows[~inside].sort().values, rows[inside].sort().values


def named_split(names: Sequence[str], share: float, seed: int, purpose: str = "validate") -> tuple[Tensor, Tensor]:
    """Row indices of the larger and of the smaller part, each in ascending order, decided by the samples' names.

    A hash of each name decides independently, so that further samples do not move others. The smaller part has about
    `share` of all rows and of each class. With two names or more it has at least one row: if no hash is below `share`,
    the row with the lowest hash.

    Args:
        names: the names of the samples.
        share: expected size of the smaller part, between 0 and 1.
        seed, purpose: part of the hash, for different splits.
    """
    lots = torch.tensor([lot(name, seed, purpose) for name in names], dtype=torch.float64)
    small = lots < share
    if share and len(names) > 1 and not small.any():
        small[lots.argmin()] = True
    return torch.nonzero(~small)[:, 0], torch.nonzero(small)[:, 0]


def named_fold(names: Sequence[str], folds: int, fold: int, seed: int) -> tuple[Tensor, Tensor]:
    """Row indices outside and inside a fold, decided by the samples' names; see `named_split`."""
    inside = torch.tensor([int(lot(name, seed, "fold") * folds) == fold for name in names], dtype=torch.bool)
    return torch.nonzero(~inside)[:, 0], torch.nonzero(inside)[:, 0]


def lot(name: str, seed: int, purpose: str) -> float:
    """The hash of a name as a number in [0, 1).

    >>> round(lot("cat/1.jpg", 0, "test"), 4), round(lot("cat/2.jpg", 0, "test"), 4)
    (0.7694, 0.7869)
    """
    digest = hashlib.blake2b(f"{purpose} {seed} {name}".encode(), digest_size=6).digest()
    return int.from_bytes(digest) / 2**48
