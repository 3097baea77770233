"""The base class of data sets: tensors in memory, split by rows, with batches fetched by an index tensor."""

import warnings
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import lightning.pytorch as lightning
import torch
from annotated_types import Ge, Interval
from torch import Tensor
from torch.utils.data import DataLoader

from atelier.arguments import Seed
from atelier.data.account import ACCEPT, DIVIDED_ANEW, account, checksum_of, crc32_of
from atelier.data.class_folders import readable
from atelier.data.fitting import check_tensors
from atelier.data.loader import Batch, BatchSampler, ResumableLoader, TensorSet
from atelier.data.reading import Fit
from atelier.data.split import check_fold, stratified_fold, stratified_split
from atelier.errors import InputError

Split = Literal["train", "val", "test"]
Tensors = dict[str, Tensor]  # train_images, train_labels, test_images, test_labels


class TensorData(lightning.LightningDataModule):
    """Base class of data sets.

    The official test set stays whole. The validation set is a part of the training set, a share or a fold, stratified
    by class; labels that are floats are no classes.

    Args:
        batch_size, eval_batch_size: samples per device in training, and in validation and test.
        validation_share: share of the training set for validation; 0: the whole set is used for both.
        folds: number of folds of the training set, instead of `validation_share`; None: no folds.
        fold: index of the validation fold, from 0.
        train_size: number of training samples to use; None: all outside the validation set.
        split_seed: seed of the validation set, and of the choice of `train_size` samples.
        shuffle: shuffle the training set in each epoch, with `seed`.
        balanced: draw each class equally often in training: an epoch has as many samples as the training set, which are
            drawn with replacement; without `shuffle`, each epoch has the same.
        plain: train on the samples as they are stored: no augmentation, mixing or new pairs, whatever else says so.
        changed: "refuse" or "accept" resuming or testing a run if the user's files have changed since its training.
        resident: keep the data on the device; "auto": on a GPU, if they take less than a quarter of its free memory.
    """

    classes: list[str] | None = None  # names of the classes, known after `setup`
    num_classes: int | None = None  # number of classes; None if labels are no classes (N,)
    of_own_files = False  # whether the data are a user's files, which may change after a training
    own_files: Sequence[Path] = ()  # a user's files that `load` reads: each must be there, as it was in the training
    reads_text = False  # whether a user's inputs are texts instead of files
    fit: Fit = "crop"  # how a user's images of other proportions are adapted, see `atelier.data.reading.fitted`
    stored_as: torch.dtype | None = None  # type of the numbers of inputs in the format of `load`; None: not stated
    # The arguments that decide which samples train, validate and test. `train_size` is none of them: it leaves out
    # training samples, which come into no other split.
    split_keys: tuple[str, ...] = ("validation_share", "folds", "fold", "split_seed")

    def __init__(
        self,
        batch_size: Annotated[int, Ge(1)],
        eval_batch_size: Annotated[int, Ge(1)],
        validation_share: Annotated[float, Interval(ge=0, lt=1)],
        folds: Annotated[int, Ge(2)] | None,
        fold: Annotated[int, Ge(0)],
        train_size: Annotated[int, Ge(1)] | None,
        split_seed: Seed,
        shuffle: bool,
        seed: Seed,
        resident: bool | Literal["auto"],
        balanced: bool = False,
        plain: bool = False,
        changed: Literal["refuse", "accept"] = "refuse",
    ) -> None:
        super().__init__()
        check_fold(folds, fold)
        self.batch_size, self.eval_batch_size = batch_size, eval_batch_size
        self.validation_share, self.folds, self.fold = validation_share, folds, fold
        self.train_size, self.split_seed = train_size, split_seed
        self.shuffle, self.seed = shuffle, seed
        self.resident, self.balanced, self.plain, self.changed = resident, balanced, plain, changed
        self.test_split, self.asked = "test", False
        self.sets: dict[str, TensorSet] = {}
        self.about: dict[str, Any] = {}  # further facts about the data, known after `setup`

    @abstractmethod
    def load(self) -> tuple[Tensors, list[str] | None]:
        """The tensors, and the names of the classes, if there are any."""

    def check_source(self) -> None:
        """Raise InputError if the data set is missing and cannot be made or downloaded; a quick check."""
        for file in self.own_files:
            if not file.is_file():
                raise InputError(f"data: there is no file {readable(file)}, which {type(self).__name__} reads")

    def prepare_data(self) -> None:
        """Called once on a machine, before `load` is called."""
        self.check_source()

    def setup(self, stage: str | None = None) -> None:
        if self.sets:
            return
        if self.own_files:
            self.about["crc32"] = crc32_of(self.own_files)
        tensors, self.classes = self.load()
        check_tensors(self, tensors, self.classes)
        train, val = self.split(tensors["train_labels"])
        test = torch.arange(len(tensors["test_labels"]))
        tensors = self.place(tensors)
        for name, part, rows in (("train", "train", train), ("val", "train", val), ("test", "test", test)):
            self.sets[name] = TensorSet(tensors[f"{part}_images"], tensors[f"{part}_labels"], rows)

    def split(self, labels: Tensor) -> tuple[Tensor, Tensor]:
        """Divide the official training set with labels (N, …): row indices for training, and for validation.

        Raises:
            InputError: if one of the two is empty, or `train_size` is larger than the number of training samples.
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
        """Row indices outside and inside the validation set; all rows for both if there is no validation set."""
        if self.folds is not None:
            return stratified_fold(labels, self.folds, self.fold, self.split_seed)
        if self.validation_share:
            return stratified_split(labels, self.validation_share, self.split_seed)
        return torch.arange(len(labels)), torch.arange(len(labels))

    def account(self) -> tuple[dict[str, Any], list[str]]:
        """The description of the data for run.json, and lines for the terminal; called after `setup`."""
        return account(self)

    def check_same(self, recorded: Mapping[str, Any] | None) -> None:
        """Compare the data with the description in a run's run.json; an InputError if they have changed."""
        if not self.own_files or not recorded or "checksum" not in recorded:
            return
        self.check_source()
        if checksum_of({"crc32": crc32_of(self.own_files)}) != recorded["checksum"]:
            if self.changed == "refuse":
                names = ", ".join(readable(file) for file in self.own_files)
                raise InputError(f"the data have changed since the training: {names};\n{ACCEPT}")
            warnings.warn(DIVIDED_ANEW, stacklevel=2)

    @classmethod
    def check_split(cls, trained: Mapping[str, Any], now: Mapping[str, Any]) -> None:
        """Compare the data's options of a run that was trained with those of the command that uses it again.

        Raises:
            InputError: if one of `split_keys` differs: the samples of the training could be tested on.
        """
        for key in cls.split_keys:
            old, new = ("null" if one.get(key) is None else one[key] for one in (trained, now))
            if new != old:
                told = f"the run was trained with {old}, and another split may test on its training samples"
                raise InputError(f"data.{key}={new}: {told}; give {old}, or leave it out")

    def place(self, tensors: Tensors) -> Tensors:
        """Move the tensors to the device, if `resident`."""
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
        if not len(self.sets[self.test_split]):
            if self.asked:
                given = [name for name, samples in self.sets.items() if len(samples)]
                told = f"the run's data have no {self.test_split} samples"
                raise InputError(f"split={self.test_split}: {told}; give one of: {', '.join(given)}")
            warnings.filterwarnings("ignore", "Total length of")  # Lightning's; `account` has told it
        return self.loader(self.test_split)

    def predict_dataloader(self) -> Any:
        loader = self.test_dataloader()
        return DataLoader(loader.dataset, sampler=loader.batches, batch_size=None)  # Lightning makes another like it

    def evaluate_on(self, split: Split) -> "TensorData":
        """Use `split` as the test set; `test_dataloader` raises an InputError if it has no sample."""
        self.test_split, self.asked = split, True
        return self

    def loader(self, split: str, train: bool = False) -> ResumableLoader:
        """
        Raises:
            InputError: if there are more processes than samples to validate or to test on: a process without a batch
                would leave the others waiting for it.
        """
        world, rank = (self.trainer.world_size, self.trainer.global_rank) if self.trainer else (1, 0)
        for name in ("val", self.test_split) if world > 1 else ():  # of both, it is told before the training
            if 0 < (count := len(self.sets[name])) < world:  # of none, no process has a batch
                told = f"{world} processes need a sample each of the {name} set, which has {count}"
                raise InputError(f"trainer.devices: {told}; give trainer.devices=1 trainer.num_nodes=1")
        sampler = BatchSampler(
            count=len(self.sets[split]),
            batch_size=self.batch_size if train else self.eval_batch_size,
            train=train,
            shuffle=train and self.shuffle and not getattr(self.trainer, "overfit_batches", 0),
            seed=self.seed,
            rank=rank,
            world=world,
            weights=self.class_weights()[self.train_classes()].double() if train and self.balanced else None,
        )
        return ResumableLoader(self.sets[split], sampler)

    def train_classes(self) -> Tensor:
        """The classes (N,) of the training samples, in main memory.

        Raises:
            InputError: if the labels are no classes.
        """
        train: Any = self.sets["train"]
        labels = train.labels[train.rows].cpu() if hasattr(train, "labels") else None
        if labels is None or labels.dim() != 1 or labels.is_floating_point() or self.num_classes is None:
            raise InputError(f"data: the labels of {type(self).__name__} are no classes, which could be weighted")
        return labels

    def class_weights(self) -> Tensor:
        """Weights (C,) of the classes, inverse to their numbers of training samples N_c: N / (P · N_c); float32.

        P is the number of classes with training samples, so that the mean weight of the samples is 1.
        """
        counts = torch.bincount(self.train_classes(), minlength=self.num_classes or 0)
        return len(self.sets["train"]) / (counts.count_nonzero() * counts.clamp(min=1).float())

    def transfer_batch_to_device(self, batch: Batch, device: torch.device, dataloader_idx: int) -> Batch:
        """Lightning's method, without its search for tensors if the device is the CPU."""
        return batch if device.type == "cpu" else super().transfer_batch_to_device(batch, device, dataloader_idx)

    def on_after_batch_transfer(self, batch: Batch, dataloader_idx: int) -> Batch:
        inputs, labels = batch
        varied = self.varies()
        inputs = self.normalise(self.augmented_pixels(inputs) if varied else inputs)
        if varied:
            inputs, labels = self.mixed(self.augmented(inputs), labels)
        if self.trainer is not None and self.trainer.precision == "64-true" and inputs.is_floating_point():
            inputs = inputs.double()  # Lightning converts before the integers become floats
        return inputs, labels

    def varies(self) -> bool:
        """Whether batches are augmented and mixed now, as those of a training are that is not `plain`."""
        return self.trainer is not None and self.trainer.training and not self.plain

    def normalise(self, inputs: Tensor) -> Tensor:
        """Convert stored inputs to a network's inputs."""
        return inputs

    def augmented(self, inputs: Tensor) -> Tensor:
        """Augment the normalised inputs of a training batch."""
        return inputs

    def augmented_pixels(self, inputs: Tensor) -> Tensor:
        """Augment the stored inputs of a training batch."""
        return inputs

    def mixed(self, inputs: Tensor, labels: Tensor) -> Batch:
        """Mix samples of a training batch with each other, and their labels."""
        return inputs, labels

    def load_file(self, path: Path, fit: Fit = "crop") -> Tensor:
        """Load a user's file as an input in the format of `load`.

        Raises:
            InputError: if the file does not exist or cannot be read.
        """
        raise InputError(f"inputs: {type(self).__name__} reads no files; split=test answers its test set")

    def read_text(self, text: str) -> Tensor:
        """Read a user's text as an input in the format of `load`, if `reads_text`.

        Raises:
            InputError: if the text is no such input.
        """
        raise InputError(f"inputs: {type(self).__name__} reads no text")
