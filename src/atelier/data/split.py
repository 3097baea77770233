"""Stratified splits: every class keeps its share on both sides."""

import torch
from torch import Tensor


def stratified_split(labels: Tensor, share: float, seed: int) -> tuple[Tensor, Tensor]:
    """Row numbers of the larger and of the smaller part, each in rising order.

    The smaller part holds round(share · N) rows. Each class gives its share, rounded down; the rows still missing come
    from the classes with the largest remainders. So equal classes stay as equal as whole numbers allow.

    Args:
        labels: (N,) or (N, K) int64; rows of K numbers are one class each.
        share: size of the smaller part, between 0 and 1.
        seed: chooses the rows.
    """
    classes, counts = torch.unique(
        labels, dim=None if labels.dim() == 1 else 0, return_inverse=True, return_counts=True
    )[1:]
    generator = torch.Generator().manual_seed(seed)
    quota = counts * share
    take = quota.floor().long()
    missing = round(len(labels) * share) - int(take.sum())
    # A random order before the stable sort: of equal remainders, none is favoured.
    shuffled = torch.randperm(len(counts), generator=generator)
    order = shuffled[(quota - take)[shuffled].argsort(descending=True, stable=True)]
    take[order[:missing]] += 1
    rows = torch.randperm(len(labels), generator=generator)
    rows = rows[classes[rows].argsort(stable=True)]  # grouped by class, in random order within
    rank = torch.arange(len(rows)) - (counts.cumsum(0) - counts)[classes[rows]]  # position within its class
    small = rank < take[classes[rows]]
    return rows[~small].sort().values, rows[small].sort().values


def with_test_part(images: Tensor, labels: Tensor, share: float, seed: int) -> dict[str, Tensor]:
    """The four tensors of a data set that has no test set of its own: `share` of each class tests, always the same."""
    parts = zip(("train", "test"), stratified_split(labels, share, seed), strict=True)
    return {
        f"{part}_{name}": tensor[rows]
        for part, rows in parts
        for name, tensor in (("images", images), ("labels", labels))
    }


def stratified_fold(labels: Tensor, folds: int, fold: int, seed: int) -> tuple[Tensor, Tensor]:
    """Row numbers outside and inside one of `folds` parts, each in rising order; every row is inside exactly one.

    Parts differ by at most one row, and so does each class's share of them.

    Args:
        labels: (N,) or (N, K) int64; rows of K numbers are one class each.
        folds: how many parts.
        fold: which one, from 0.
        seed: chooses the rows.
    """
    classes = torch.unique(labels, dim=None if labels.dim() == 1 else 0, return_inverse=True)[1]
    rows = torch.randperm(len(labels), generator=torch.Generator().manual_seed(seed))
    rows = rows[classes[rows].argsort(stable=True)]  # grouped by class, in random order within
    inside = torch.arange(len(rows)) % folds == fold
    return rows[~inside].sort().values, rows[inside].sort().values
