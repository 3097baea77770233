"""Loads batches with one index tensor each, divided over processes, resumable in the middle of an epoch."""

import math
from collections.abc import Iterator, Mapping

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, SequentialSampler

Batch = tuple[Tensor, Tensor]  # inputs (N, …), labels (N, …)


class TensorSet(Dataset[Batch]):
    """Rows of inputs and labels; an index tensor fetches a whole batch."""

    def __init__(self, inputs: Tensor, labels: Tensor, rows: Tensor) -> None:
        self.inputs, self.labels, self.rows = inputs, labels, rows.to(inputs.device)

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: Tensor) -> Batch:
        rows = self.rows.index_select(0, index.to(self.rows.device))
        return self.inputs.index_select(0, rows), self.labels.index_select(0, rows)


class BatchSampler(SequentialSampler):
    """Index tensors of the batches of this process.

    Training: with `shuffle`, a new order in each epoch, which depends on seed and epoch only. All processes get equal
    batches, the last of which may repeat samples; a last batch of one sample, on which batch norm cannot train, joins
    the previous batch. With `weights`, an epoch draws as many samples as there are, with replacement, in proportion to
    them; without `shuffle`, the same in each epoch. Evaluation: each sample exactly once over all processes.

    It is a SequentialSampler by name only: for `overfit_batches`, Lightning would replace any other.
    """

    def __init__(
        self,
        count: int,
        batch_size: int,
        train: bool,
        shuffle: bool = False,
        seed: int = 0,
        rank: int = 0,
        world: int = 1,
        weights: Tensor | None = None,
    ) -> None:
        self.count, self.batch_size, self.train, self.shuffle = count, batch_size, train, shuffle
        self.seed, self.rank, self.world, self.weights = seed, rank, world, weights
        self.epoch = 0
        self.start = 0  # first batch of an epoch that is resumed in its middle
        self.start_epoch: int | None = None  # number of that epoch

    def set_epoch(self, epoch: int) -> None:
        self.epoch = epoch

    def __len__(self) -> int:
        return len(self.sizes())

    def sizes(self) -> list[int]:
        """The sizes of this process's batches."""
        own = math.ceil(self.count / self.world) if self.train else len(range(self.rank, self.count, self.world))
        full, rest = divmod(own, self.batch_size)
        sizes = [self.batch_size] * full + [rest] * (rest > 0)
        if self.train and rest == 1 and full:
            sizes[-2:] = [self.batch_size + 1]
        return sizes

    def first(self, epoch: int) -> int:
        """The index of an epoch's first batch."""
        return self.start if self.start_epoch in (None, epoch) else 0

    def __iter__(self) -> Iterator[Tensor]:  # type: ignore[override]
        start, self.start = self.first(self.epoch), 0
        stream = self.seed * 1_000_003 + (self.epoch if self.shuffle else 0)
        generator = torch.Generator().manual_seed(stream % 2**64)  # a seed may be the time in nanoseconds
        if self.weights is not None:
            order = torch.multinomial(self.weights, self.count, replacement=True, generator=generator)
        elif self.shuffle:
            order = torch.randperm(self.count, generator=generator)
        else:
            order = torch.arange(self.count)
        if self.train and self.world > 1:
            even = math.ceil(self.count / self.world) * self.world
            order = order.repeat(math.ceil(even / self.count))[:even]
        order = order[self.rank :: self.world]
        yield from order.split(self.sizes())[start:]


class ResumableLoader(DataLoader[Batch]):
    """A DataLoader over a `BatchSampler` that counts the batches given in the epoch, to be resumed there.

    It defines its own iterator, since DataLoader's takes more time than fetching a batch.
    """

    def __init__(self, dataset: TensorSet, sampler: BatchSampler) -> None:
        super().__init__(dataset, sampler=sampler, batch_size=None)
        self.batches = sampler
        self.given = 0
        self.epoch = sampler.epoch  # the epoch of these batches, which may end early

    def __iter__(self) -> Iterator[Batch]:  # type: ignore[override]
        self.given, self.epoch = self.batches.first(self.batches.epoch), self.batches.epoch
        for index in self.batches:
            self.given += 1
            yield self.dataset[index]

    def sizes(self) -> list[int]:
        """The sizes of an epoch's batches."""
        return self.batches.sizes()

    def first(self, epoch: int) -> int:
        """The index of an epoch's first batch: above 0 if the run resumes in the middle of the epoch."""
        return self.batches.first(epoch)

    def state_dict(self) -> dict[str, int]:
        return {"given": self.given % len(self), "epoch": self.epoch}

    def load_state_dict(self, state: Mapping[str, int]) -> None:
        self.batches.start, self.batches.start_epoch = state["given"], state.get("epoch")
