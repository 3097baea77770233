"""Data sets that fit in memory: tensors split by rows, batches by one index."""

from abc import abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import lightning.pytorch as lightning
import torch
from annotated_types import Ge, Interval
from torch import Tensor

from atelier.data.account import account
from atelier.data.loader import Batch, BatchSampler, ResumableLoader, TensorSet
from atelier.data.reading import Fit
from atelier.data.split import stratified_fold, stratified_split
from atelier.errors import InputError

Split = Literal["train", "val", "test"]
Tensors = dict[str, Tensor]  # train_images, train_labels, test_images, test_labels


class TensorData(lightning.LightningDataModule):
    """Base of the data sets here.

    The official test set stays whole; validation is carved from the training set: a share of it, or one of several
    folds. Every class keeps its share on both sides.

    Args:
        batch_size, eval_batch_size: samples per device in training, and in validation and testing.
        validation_share: the part of the training set that validates; 0: the whole set trains, and validates too.
        folds: cut the training set into so many parts instead, of which one validates.
        fold: which, from 0.
        train_size: train on so many samples only; None: on all that do not validate.
        split_seed: chooses the samples that validate, and those of `train_size`.
        shuffle: a new order every epoch, from `seed` and the epoch.
        resident: keep the data on the device; "auto" does so on a GPU where it takes under a quarter of it.
    """

    classes: list[str] | None = None  # names, known after `setup`
    num_classes: int | None = None  # where labels (N,) are classes
    of_own_files = False  # whether a user's own files may have changed since a training
    reads_text = False  # whether a user's own inputs are texts, and not files

    def __init__(
        self,
        batch_size: Annotated[int, Ge(1)],
        eval_batch_size: Annotated[int, Ge(1)],
        validation_share: Annotated[float, Interval(ge=0, lt=1)],
        folds: Annotated[int, Ge(2)] | None,
        fold: Annotated[int, Ge(0)],
        train_size: Annotated[int, Ge(1)] | None,
        split_seed: int,
        shuffle: bool,
        seed: int,
        resident: bool | Literal["auto"],
    ) -> None:
        super().__init__()
        if folds is not None and fold >= folds:
            raise InputError(f"data.folds={folds} data.fold={fold}: give a fold from 0 to {folds - 1}")
        self.batch_size, self.eval_batch_size = batch_size, eval_batch_size
        self.validation_share, self.folds, self.fold = validation_share, folds, fold
        self.train_size, self.split_seed = train_size, split_seed
        self.shuffle, self.seed = shuffle, seed
        self.resident = resident
        self.test_split = "test"
        self.sets: dict[str, TensorSet] = {}
        self.about: dict[str, Any] = {}  # what is known beside the tensors, after `setup`

    @abstractmethod
    def load(self) -> tuple[Tensors, list[str] | None]:
        """The data, and the names of its classes if they have any."""

    def check_source(self) -> None:
        """Raise InputError if the data set is neither here nor can be made or fetched; quick, as nothing is made."""

    def setup(self, stage: str | None = None) -> None:
        if self.sets:
            return
        tensors, self.classes = self.load()
        train, val = self.split(tensors["train_labels"])
        test = torch.arange(len(tensors["test_labels"]))
        tensors = self.place(tensors)
        for name, part, rows in (("train", "train", train), ("val", "train", val), ("test", "test", test)):
            self.sets[name] = TensorSet(tensors[f"{part}_images"], tensors[f"{part}_labels"], rows)

    def split(self, labels: Tensor) -> tuple[Tensor, Tensor]:
        """Row numbers of the training set (labels (N, …)) that train, and of those that validate.

        Raises:
            InputError: if no sample is left to train or to validate, or `train_size` is more than there are.
        """
        train, val = self.carve(labels)
        if not (len(train) and len(val)):
            key = "validation_share" if self.folds is None else "folds"
            given = f"data.{key}={getattr(self, key)} of {len(labels)}"
            use, remedy = ("validate", "more, or 0") if len(train) else ("train on", "less")
            remedy = remedy if self.folds is None else "fewer"
            raise InputError(f"{given} leaves no sample to {use}; give {remedy}")
        if self.train_size is not None:
            if self.train_size > len(train):
                raise InputError(
                    f"data.train_size={self.train_size}: give 1 to {len(train)}, which are left to train on"
                )
            train = train[stratified_split(labels[train], self.train_size / len(train), self.split_seed)[1]]
        return train, val

    def carve(self, labels: Tensor) -> tuple[Tensor, Tensor]:
        """Row numbers of the training set that do not validate, and of those that do; all do both where none should."""
        if self.folds is not None:
            return stratified_fold(labels, self.folds, self.fold, self.split_seed)
        if self.validation_share:
            return stratified_split(labels, self.validation_share, self.split_seed)
        return torch.arange(len(labels)), torch.arange(len(labels))

    def account(self) -> tuple[dict[str, Any], list[str]]:
        """What the data are, after `setup`: for run.json, and in lines for the terminal."""
        return account(self)

    def check_same(self, recorded: Mapping[str, Any] | None) -> None:
        """Compare the data with the account of a run that was trained on them.

        Raises:
            InputError: if they are others.
        """

    def place(self, tensors: Tensors) -> Tensors:
        """The tensors on the device, if they are to stay there."""
        device = self.trainer.strategy.root_device if self.trainer else torch.device("cpu")
        if self.resident is False or device.type == "cpu":
            return tensors
        if self.resident == "auto":
            size = sum(tensor.nbytes for tensor in tensors.values())
            if device.type != "cuda" or size > torch.cuda.mem_get_info(device)[0] / 4:
                return tensors
        return {name: tensor.to(device) for name, tensor in tensors.items()}

    def train_dataloader(self) -> Any:
        return self.loader("train", train=True)

    def val_dataloader(self) -> Any:
        return self.loader("val")

    def test_dataloader(self) -> Any:
        return self.loader(self.test_split)

    def evaluate_on(self, split: Split) -> "TensorData":
        """This data set with `split` in the place of its test set."""
        self.test_split = split
        return self

    def loader(self, split: str, train: bool = False) -> ResumableLoader:
        world, rank = (self.trainer.world_size, self.trainer.global_rank) if self.trainer else (1, 0)
        sampler = BatchSampler(
            count=len(self.sets[split]),
            batch_size=self.batch_size if train else self.eval_batch_size,
            train=train,
            shuffle=train and self.shuffle,
            seed=self.seed,
            rank=rank,
            world=world,
        )
        return ResumableLoader(self.sets[split], sampler)

    def transfer_batch_to_device(self, batch: Batch, device: torch.device, dataloader_idx: int) -> Batch:
        """As Lightning does it, without looking for tensors where there is nowhere to move them."""
        return batch if device.type == "cpu" else super().transfer_batch_to_device(batch, device, dataloader_idx)

    def on_after_batch_transfer(self, batch: Batch, dataloader_idx: int) -> Batch:
        inputs, labels = batch
        inputs = self.normalise(inputs)
        if self.trainer is not None and self.trainer.training:
            inputs = self.augmented(inputs)
        if self.trainer is not None and self.trainer.precision == "64-true" and inputs.is_floating_point():
            inputs = inputs.double()  # Lightning did so before there were any numbers to round
        return inputs, labels

    def normalise(self, inputs: Tensor) -> Tensor:
        """Inputs as they are stored to what a network is given."""
        return inputs

    def augmented(self, inputs: Tensor) -> Tensor:
        """Normalised inputs of a training batch to changed ones."""
        return inputs

    def load_file(self, path: Path, fit: Fit = "crop") -> Tensor:
        """A user's own file as one input, as `load` has them.

        Raises:
            InputError: if there is no such file, or it is of another kind.
        """
        raise InputError(f"inputs: {type(self).__name__} reads no files")

    def read_text(self, text: str) -> Tensor:
        """A user's own text as one input, as `load` has them, where `reads_text` is true.

        Raises:
            InputError: if it is none.
        """
        raise InputError(f"inputs: {type(self).__name__} reads no text")
