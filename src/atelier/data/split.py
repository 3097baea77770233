"""Splits: stratified, in which every class keeps its share on both sides, or by name, which no other sample changes."""

import hashlib
from collections.abc import Sequence

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


def named_split(names: Sequence[str], share: float, seed: int, purpose: str = "validate") -> tuple[Tensor, Tensor]:
    """Row numbers of the larger and of the smaller part, each in rising order; a row's part follows from its name.

    So a sample that is added leaves all others where they are. The smaller part holds about `share` of the rows, and of
    each class about its share: as a lot is drawn for each name, not exactly. Of two names or more it holds at least
    one, that with the lowest lot, until another's is below `share`.

    Args:
        names: of the samples.
        share: expected size of the smaller part, between 0 and 1.
        seed: draws other lots.
        purpose: so does each purpose.
    """
    lots = torch.tensor([lot(name, seed, purpose) for name in names], dtype=torch.float64)
    small = lots < share
    if share and len(names) > 1 and not small.any():
        small[lots.argmin()] = True
    return torch.nonzero(~small)[:, 0], torch.nonzero(small)[:, 0]


def named_fold(names: Sequence[str], folds: int, fold: int, seed: int) -> tuple[Tensor, Tensor]:
    """Row numbers outside and inside one of `folds` parts; see `named_split`."""
    inside = torch.tensor([int(lot(name, seed, "fold") * folds) == fold for name in names], dtype=torch.bool)
    return torch.nonzero(~inside)[:, 0], torch.nonzero(inside)[:, 0]


def lot(name: str, seed: int, purpose: str) -> float:
    """A number in [0, 1) that looks random and is always the same for a name.

    >>> round(lot("cat/1.jpg", 0, "test"), 4), round(lot("cat/2.jpg", 0, "test"), 4)
    (0.7694, 0.7869)
    """
    digest = hashlib.blake2b(f"{purpose} {seed} {name}".encode(), digest_size=6).digest()
    return int.from_bytes(digest) / 2**48
