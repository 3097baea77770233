"""Palindromes of digits, whose last digit is predicted from the others (Computer Vision by Learning report).

Sample i of a stream depends on the stream's seed and on i only. Processes and epochs therefore draw different
palindromes, an interrupted epoch can resume at any sample, and the digits are computed on the device.
"""

from collections.abc import Iterator, Sequence
from typing import Annotated, Literal

import torch
from annotated_types import Ge
from torch import Tensor

from atelier.arguments import Seed
from atelier.data.loader import Batch, BatchSampler, ResumableLoader, TensorSet
from atelier.data.tensors import TensorData, Tensors
from atelier.errors import InputError

BASE = 10
STREAMS = ("train", "val", "test")
SUMS = {"test": range(1), "val": range(1, 2), "train": range(2, BASE)}  # sums of a half's digits, modulo 10
GOLDEN = 0x9E3779B97F4A7C15 - (1 << 64)  # SplitMix64's constants (Steele, Lea and Flood, 2014), as signed numbers
MIX = ((30, 0xBF58476D1CE4E5B9 - (1 << 64)), (27, 0x94D049BB133111EB - (1 << 64)))


class Palindromes(TensorData):
    """Inputs (N, length - 1) int64 digits, labels (N,) int64: the digit that completes the palindrome.

    The first half of a palindrome, with the middle digit, determines it; there are 10^⌈length/2⌉. With `held_out`, the
    digit sum of the half decides the split: test if it ends in 0, validation if it ends in 1, else training. For length
    2, with only 10 palindromes, every split has all of them.

    Args:
        length: length of the palindromes, 2 or more.
        shortest: length of the shortest palindromes of an endless training stream. Those of a batch have all one length
            from it to `length`, see `shortened`. None: all are of `length`.
        shape, num_symbols, num_classes: (length - 1,), 10 and 10, stated in the configuration for networks.
        size: number of different palindromes of a fixed training set; None: an endless stream.
        epoch_size: number of samples of an epoch, if `size` is None.
        eval_size: number of different palindromes for validation, and for the test; all, if there are fewer.
        held_out: whether the splits are disjoint; False: all splits draw from all palindromes.
        set_seed: seed of the validation, test and fixed training sets, independent of the run's seed.
        batch_size, eval_batch_size, shuffle, seed, resident, plain: see `TensorData`; `seed` also seeds the endless
            stream, which begins again in each epoch without `shuffle`.

    Raises:
        InputError: if `shape`, `num_symbols` or `num_classes` differ, there are fewer than `size` palindromes, or
            `shortest` is longer than `length` or given with `size`.
    """

    reads_text = True
    stored_as = torch.int64
    split_keys = ("held_out",)

    def __init__(
        self,
        length: Annotated[int, Ge(2)],
        shortest: Annotated[int, Ge(2)] | None,
        shape: Sequence[int],
        num_symbols: int,
        num_classes: int,
        size: Annotated[int, Ge(1)] | None,
        epoch_size: Annotated[int, Ge(1)],
        eval_size: Annotated[int, Ge(1)],
        held_out: bool,
        set_seed: Seed,
        batch_size: Annotated[int, Ge(1)],
        eval_batch_size: Annotated[int, Ge(1)],
        shuffle: bool,
        seed: Seed,
        resident: bool | Literal["auto"],
        plain: bool = False,
    ) -> None:
        super().__init__(
            batch_size=batch_size,
            eval_batch_size=eval_batch_size,
            validation_share=0,
            folds=None,
            fold=0,
            train_size=None,
            split_seed=set_seed,
            shuffle=shuffle,
            seed=seed,
            resident=resident,
            plain=plain,
        )
        if (list(shape), num_symbols, num_classes) != ([length - 1], BASE, BASE):
            stated = f"data.shape={list(shape)} data.num_symbols={num_symbols} data.num_classes={num_classes}"
            raise InputError(f"{stated}: for palindromes of {length} digits they are [{length - 1}], {BASE} and {BASE}")
        if shortest is not None and (size is not None or shortest > length):
            raise InputError(f"data.shortest={shortest}: give 2 to {length}, and data.size=null; or null")
        self.length, self.shape, self.num_classes, self.shortest = length, tuple(shape), num_classes, shortest
        self.size, self.epoch_size, self.eval_size, self.held_out = size, epoch_size, eval_size, held_out
        self.classes = [str(digit) for digit in range(BASE)]
        if size is not None and size > (available := self.count("train")):
            raise InputError(f"data.size={size}: there are {available} palindromes of {length} digits to train on")

    def count(self, split: str) -> int:
        """The number of different palindromes of a split."""
        half = -(-self.length // 2)
        return BASE ** (half - 1) * len(SUMS[split]) if self.splits_apart else BASE**half

    @property
    def splits_apart(self) -> bool:
        return self.held_out and self.length > 2

    def draw(self, split: str, numbers: Tensor, seed: int) -> Tensor:
        """The palindromes (N, length) int64 with the indices `numbers` (N,) in a split's stream, on their device."""
        half = -(-self.length // 2)
        key = signed(seed * len(STREAMS) + STREAMS.index(split))
        places = torch.arange(half, device=numbers.device)
        words = mixed(mixed(torch.tensor(key, device=numbers.device)) + numbers[:, None] * half + places)
        digits = words.remainder(BASE)
        if self.splits_apart:
            # The innermost digit sets the sum; all palindromes of the split stay equally likely.
            sums = SUMS[split]
            wanted = sums.start + (words[:, -1] >> 32).remainder(len(sums))
            digits[:, -1] = (wanted - digits[:, :-1].sum(1)).remainder(BASE)
        return torch.cat([digits, digits[:, : self.length // 2].flip(1)], 1)

    def draw_different(self, split: str, count: int) -> Tensor:
        """A fixed set of `count` different palindromes of a split; all, if there are fewer."""
        count, begun = min(count, self.count(split)), 0
        found = torch.empty(0, self.length, dtype=torch.int64)
        while len(found) < count:
            numbers = torch.arange(begun, begun + 2 * count)
            found = torch.cat([found, self.draw(split, numbers, self.split_seed)]).unique(dim=0)
            begun += 2 * count
        order = torch.randperm(len(found), generator=torch.Generator().manual_seed(self.split_seed))
        return found[order[:count]]

    def load(self) -> tuple[Tensors, list[str] | None]:
        tensors: Tensors = {}
        sizes = {"train": self.size or 0, "val": self.eval_size, "test": self.eval_size}
        for split, size in sizes.items():
            palindromes = self.draw_different(split, size)
            tensors |= {f"{split}_images": palindromes[:, :-1], f"{split}_labels": palindromes[:, -1]}
        return tensors, self.classes

    def setup(self, stage: str | None = None) -> None:
        if self.sets:
            return
        tensors = self.place(self.load()[0])
        for split in STREAMS:
            inputs, labels = tensors[f"{split}_images"], tensors[f"{split}_labels"]
            self.sets[split] = TensorSet(inputs, labels, torch.arange(len(labels)))
        if self.size is None:
            device = self.trainer.strategy.root_device if self.trainer else torch.device("cpu")
            self.sets["train"] = Stream(self, device)

    def loader(self, split: str, train: bool = False) -> ResumableLoader:
        loader = super().loader(split, train)
        if train and self.size is None and loader.batches.shuffle:
            sampler = loader.batches
            endless = StreamSampler(
                self.epoch_size, sampler.batch_size, train=True, rank=sampler.rank, world=sampler.world
            )
            return ResumableLoader(self.sets[split], endless)
        return loader

    def read_text(self, text: str) -> Tensor:
        """Read an input (length - 1,) from a palindrome, or from a palindrome without its last digit.

        Raises:
            InputError: if the text does not have `length` or `length - 1` digits.
        """
        if not (text.isascii() and text.isdigit()) or len(text) not in (self.length - 1, self.length):
            raise InputError(f"inputs: {text} is not {self.length - 1} digits; the network tells the one that follows")
        return torch.tensor([int(digit) for digit in text[: self.length - 1]])


class Stream(TensorSet):
    """An endless training set, whose palindromes are computed from their indices; its length is that of an epoch."""

    def __init__(self, data: Palindromes, device: torch.device) -> None:
        self.data, self.device = data, device

    def __len__(self) -> int:
        return self.data.epoch_size

    def __getitem__(self, index: Tensor) -> Batch:
        palindromes = self.data.draw("train", index.to(self.device), self.data.seed)
        if self.data.shortest is not None:
            palindromes = shortened(palindromes, self.data.shortest, self.data.seed, int(index[0]))
        return palindromes[:, :-1], palindromes[:, -1]


def shortened(palindromes: Tensor, shortest: int, seed: int, number: int) -> Tensor:
    """Palindromes (N, length) without their middle, all of a length from `shortest` on, spread evenly in its logarithm.

    Args:
        seed, number: the stream's seed, and the batch's first sample in it, which draw the length.
    """
    longest = palindromes.shape[1]
    word = mixed(mixed(torch.tensor(signed(seed))) + number)
    share = int(word.remainder(1 << 32)) / (1 << 32)
    length = int(shortest * ((longest + 1) / shortest) ** share)
    return torch.cat([palindromes[:, : -(-length // 2)], palindromes[:, longest - length // 2 :]], 1)


class StreamSampler(BatchSampler):
    """A sampler whose indices continue from epoch to epoch."""

    def __iter__(self) -> Iterator[Tensor]:  # type: ignore[override]
        for index in super().__iter__():
            yield index + self.epoch * self.count


def mixed(words: Tensor) -> Tensor:
    """SplitMix64's output at these positions of its sequence (int64, any shape): 64 random bits each."""
    words = words * GOLDEN
    for shift, factor in MIX:
        words = (words ^ shifted(words, shift)) * factor
    return words ^ shifted(words, 31)


def shifted(words: Tensor, bits: int) -> Tensor:
    """Logical shift to the right, as for unsigned numbers."""
    return (words >> bits) & ((1 << (64 - bits)) - 1)


def signed(number: int) -> int:
    """The signed 64-bit integer with the bits of `number` modulo 2^64."""
    return (number + (1 << 63)) % (1 << 64) - (1 << 63)
