"""Palindromes of digits, of which the last digit is to be told from the others (Computer Vision by Learning report).

Sample number i of a stream is a function of the stream's seed and of i alone. So every process and every epoch draws
palindromes of its own, an interrupted epoch goes on at any place, and the digits are made on the device.
"""

from collections.abc import Iterator, Sequence
from typing import Annotated, Literal

import torch
from annotated_types import Ge
from torch import Tensor

from atelier.data.loader import Batch, BatchSampler, ResumableLoader, TensorSet
from atelier.data.tensors import TensorData, Tensors
from atelier.errors import InputError

BASE = 10
STREAMS = ("train", "val", "test")
SUMS = {"test": range(1), "val": range(1, 2), "train": range(2, BASE)}  # of a half's digits, modulo 10
GOLDEN = 0x9E3779B97F4A7C15 - (1 << 64)  # SplitMix64's constants (Steele, Lea and Flood, 2014), as signed numbers
MIX = ((30, 0xBF58476D1CE4E5B9 - (1 << 64)), (27, 0x94D049BB133111EB - (1 << 64)))


class Palindromes(TensorData):
    """Inputs (N, length - 1) int64 digits, labels (N,) int64: the digit that completes the palindrome.

    A palindrome is known by its first half, the middle digit included; there are 10^⌈length/2⌉. With `held_out`, those
    whose half has a digit sum that ends in 0 test, those in 1 validate and the others train. For length 2, of which
    there are only 10, all of them do all three.

    Args:
        length: of the palindromes, 2 or more.
        shape, num_symbols, num_classes: (length - 1,), 10 and 10, as the configuration states them for networks.
        size: a fixed training set of so many different palindromes; None: a new one every time.
        epoch_size: how many samples without `size` make an epoch.
        eval_size: how many different ones validate and test; all there are, if there are fewer.
        held_out: whether training never draws what validates and tests; False: all draw from all palindromes.
        set_seed: draws the validation, the test and the fixed training set, whatever the run's seed.
        **options: see `TensorData`.
    """

    reads_text = True

    def __init__(
        self,
        length: Annotated[int, Ge(2)],
        shape: Sequence[int],
        num_symbols: int,
        num_classes: int,
        size: Annotated[int, Ge(1)] | None,
        epoch_size: Annotated[int, Ge(1)],
        eval_size: Annotated[int, Ge(1)],
        held_out: bool,
        set_seed: int,
        batch_size: Annotated[int, Ge(1)],
        eval_batch_size: Annotated[int, Ge(1)],
        shuffle: bool,
        seed: int,
        resident: bool | Literal["auto"],
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
        )
        if (list(shape), num_symbols, num_classes) != ([length - 1], BASE, BASE):
            stated = f"data.shape={list(shape)} data.num_symbols={num_symbols} data.num_classes={num_classes}"
            raise InputError(f"{stated}: for palindromes of {length} digits they are [{length - 1}], {BASE} and {BASE}")
        self.length, self.shape, self.num_classes = length, tuple(shape), num_classes
        self.size, self.epoch_size, self.eval_size, self.held_out = size, epoch_size, eval_size, held_out
        self.classes = [str(digit) for digit in range(BASE)]
        if size is not None and size > (available := self.count("train")):
            raise InputError(f"data.size={size}: there are {available} palindromes of {length} digits to train on")

    def count(self, split: str) -> int:
        """How many different palindromes a split can draw."""
        half = -(-self.length // 2)
        return BASE ** (half - 1) * len(SUMS[split]) if self.splits_apart else BASE**half

    @property
    def splits_apart(self) -> bool:
        return self.held_out and self.length > 2

    def draw(self, split: str, numbers: Tensor, seed: int) -> Tensor:
        """The palindromes (N, length) int64 with these numbers (N,) of a split's stream, on the numbers' device."""
        half = -(-self.length // 2)
        key = signed(seed * len(STREAMS) + STREAMS.index(split))
        places = torch.arange(half, device=numbers.device)
        words = mixed(mixed(torch.tensor(key, device=numbers.device)) + numbers[:, None] * half + places)
        digits = words.remainder(BASE)
        if self.splits_apart:
            # The innermost digit brings the sum to one of the split's, whose palindromes all stay equally likely.
            sums = SUMS[split]
            wanted = sums.start + (words[:, -1] >> 32).remainder(len(sums))
            digits[:, -1] = (wanted - digits[:, :-1].sum(1)).remainder(BASE)
        return torch.cat([digits, digits[:, : self.length // 2].flip(1)], 1)

    def draw_different(self, split: str, count: int) -> Tensor:
        """A fixed set of `count` different palindromes of a split, or all that there are."""
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
        if train and self.size is None:
            sampler = loader.batches
            endless = StreamSampler(
                self.epoch_size, sampler.batch_size, train=True, rank=sampler.rank, world=sampler.world
            )
            return ResumableLoader(self.sets[split], endless)
        return loader

    def read_text(self, text: str) -> Tensor:
        """A palindrome of `length` digits, or one without its last digit, as one input (length - 1,).

        Raises:
            InputError: if it is neither.
        """
        if not (text.isascii() and text.isdigit()) or len(text) not in (self.length - 1, self.length):
            raise InputError(f"inputs: {text} is not {self.length - 1} digits; the network tells the one that follows")
        return torch.tensor([int(digit) for digit in text[: self.length - 1]])


class Stream(TensorSet):
    """Palindromes that are made when they are asked for, by their numbers. An epoch's worth of them has a length."""

    def __init__(self, data: Palindromes, device: torch.device) -> None:
        self.data, self.device = data, device

    def __len__(self) -> int:
        return self.data.epoch_size

    def __getitem__(self, index: Tensor) -> Batch:
        palindromes = self.data.draw("train", index.to(self.device), self.data.seed)
        return palindromes[:, :-1], palindromes[:, -1]


class StreamSampler(BatchSampler):
    """Goes on counting from epoch to epoch."""

    def __iter__(self) -> Iterator[Tensor]:
        for index in super().__iter__():
            yield index + self.epoch * self.count


def mixed(words: Tensor) -> Tensor:
    """SplitMix64's output for these places of its sequence (int64, any shape): 64 random bits each."""
    words = words * GOLDEN
    for shift, factor in MIX:
        words = (words ^ shifted(words, shift)) * factor
    return words ^ shifted(words, 31)


def shifted(words: Tensor, bits: int) -> Tensor:
    """Shifted to the right, with zeros coming in as in unsigned numbers."""
    return (words >> bits) & ((1 << (64 - bits)) - 1)


def signed(number: int) -> int:
    """The whole number whose 64 bits are those of `number`, modulo 2^64."""
    return (number + (1 << 63)) % (1 << 64) - (1 << 63)
