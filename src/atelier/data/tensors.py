"""Data sets that fit in memory: uint8 tensors in one cached file, batches by one index, the rest on the device."""

import warnings
from abc import abstractmethod
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal

import lightning.pytorch as lightning
import numpy as np
import torch
from PIL import Image, ImageOps, UnidentifiedImageError
from torch import Tensor

from atelier.data.cache import read_cache, write_cache
from atelier.data.loader import Batch, BatchSampler, ResumableLoader, TensorSet
from atelier.data.split import stratified_split
from atelier.errors import InputError

SPLITS = ("train", "val", "test")


class TensorData(lightning.LightningDataModule):
    """Base of the data sets here: `prepare_data` makes the cache file, `setup` memory-maps and splits it.

    The official test set stays whole; validation is carved from the training set. Images become float, normalised and
    (in training) augmented on the device, a batch at a time.

    Args:
        folder: where the cache file lies.
        shape: (C, H, W) of an image, as the configuration states it; checked against the data.
        mean, std: of the training images' values, scaled to 0–1; checked against the data.
        batch_size, eval_batch_size: samples per device in training, and in validation and testing.
        augment: whether training batches are augmented.
        augmentation: what that is, for normalised images (N, C, H, W) on the device.
        validation_share: the part of the training set that validates.
        split_seed: which part that is.
        shuffle: a new order every epoch, from `seed` and the epoch.
        resident: keep the images on the device; "auto" does so on a GPU where they take under a quarter of it.
        rebuild: make the cache file anew.
    """

    def __init__(
        self,
        folder: str,
        shape: Sequence[int],
        mean: float,
        std: float,
        batch_size: int,
        eval_batch_size: int,
        augment: bool,
        augmentation: Callable[[Tensor], Tensor] | None,
        validation_share: float,
        split_seed: int,
        shuffle: bool,
        seed: int,
        resident: bool | Literal["auto"],
        rebuild: bool,
    ) -> None:
        super().__init__()
        self.folder = Path(folder)
        self.shape = tuple(shape)
        self.mean, self.std = mean, std
        self.offset = torch.tensor(-mean / std)
        self.batch_size, self.eval_batch_size = batch_size, eval_batch_size
        self.augmentation = augmentation if augment else None
        self.validation_share, self.split_seed = validation_share, split_seed
        self.shuffle, self.seed = shuffle, seed
        self.resident, self.rebuild = resident, rebuild
        self.test_split = "test"
        self.sets: dict[str, TensorSet] = {}

    @property
    @abstractmethod
    def cache_name(self) -> str:
        """The cache file's name, without its ending: a data set made otherwise has another."""

    @abstractmethod
    def make(self) -> tuple[dict[str, Tensor], list[str] | None]:
        """The four tensors of the cache, and the class names if there are any."""

    @property
    def path(self) -> Path:
        return self.folder / f"{self.cache_name}.safetensors"

    def check_source(self) -> None:
        """Raise InputError if the data set is neither in its cache nor can be made here; quick, as nothing is made."""

    def prepare_data(self) -> None:
        if self.rebuild or not self.path.exists():
            write_cache(self.path, *self.make())
            self.rebuild = False

    def setup(self, stage: str | None = None) -> None:
        if self.sets:
            return
        tensors, self.classes = read_cache(self.path)
        images, labels = tensors["train_images"], tensors["train_labels"]
        self.check_facts(images)
        train, val = stratified_split(labels, self.validation_share, self.split_seed)
        test = torch.arange(len(tensors["test_labels"]))
        images, labels, test_images, test_labels = self.place(
            [images, labels, tensors["test_images"], tensors["test_labels"]]
        )
        self.sets["train"] = TensorSet(images, labels, train)
        self.sets["val"] = TensorSet(images, labels, val)
        self.sets["test"] = TensorSet(test_images, test_labels, test)

    def check_facts(self, images: Tensor) -> None:
        """Say where the configuration and the data disagree about shape, mean or standard deviation."""
        if tuple(images.shape[1:]) != self.shape:
            raise InputError(f"data.shape={list(self.shape)}: the images in {self.path} are {list(images.shape[1:])}")
        sample = images[:: max(1, len(images) // 2000)].float() / 255
        mean, std = sample.mean().item(), sample.std().item()
        if abs(mean - self.mean) > 0.05 or abs(std - self.std) > 0.05:
            found = f"the images of {self.cache_name} have {mean:.3f} and {std:.3f}"
            warnings.warn(f"data.mean={self.mean} data.std={self.std}, but {found}", stacklevel=2)

    def place(self, tensors: list[Tensor]) -> list[Tensor]:
        """The tensors on the device, if they are to stay there."""
        device = self.trainer.strategy.root_device if self.trainer else torch.device("cpu")
        if self.resident is False or device.type == "cpu":
            return tensors
        if self.resident == "auto":
            size = sum(tensor.nbytes for tensor in tensors)
            if device.type != "cuda" or size > torch.cuda.mem_get_info(device)[0] / 4:
                return tensors
        return [tensor.to(device) for tensor in tensors]

    def train_dataloader(self) -> ResumableLoader:
        return self.loader("train", train=True)

    def val_dataloader(self) -> ResumableLoader:
        return self.loader("val")

    def test_dataloader(self) -> ResumableLoader:
        return self.loader(self.test_split, train=False)

    def evaluate_on(self, split: str) -> "TensorData":
        """This data set with `split` in the place of its test set.

        Raises:
            InputError: if there is no such split.
        """
        if split not in SPLITS:
            raise InputError(f"split={split}: choose from: {', '.join(SPLITS)}")
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
        images, labels = batch
        images = self.normalise(images)
        if self.augmentation is not None and self.trainer is not None and self.trainer.training:
            images = self.augmentation(images)
        return images, labels

    def normalise(self, images: Tensor) -> Tensor:
        """uint8 images of any shape to floats of zero mean and unit variance, in one pass over them."""
        if self.offset.device != images.device:
            self.offset = self.offset.to(images.device)
        return torch.add(self.offset, images, alpha=1 / (255 * self.std))

    def picture(self, images: Tensor) -> Tensor:
        """Normalised images back to values in 0–1, to be looked at."""
        return (images * self.std + self.mean).clamp(0, 1)

    def load_file(self, path: Path) -> Tensor:
        """A user's own file as one uint8 input of this data set's shape.

        Raises:
            InputError: if there is no such file, or it is no image.
        """
        try:
            with Image.open(path) as image:
                channels, height, width = self.shape
                fitted = ImageOps.fit(image.convert("L" if channels == 1 else "RGB"), (width, height))
        except FileNotFoundError:
            raise InputError(f"inputs: there is no file {path}") from None
        except (UnidentifiedImageError, OSError) as error:
            raise InputError(f"inputs: {path} is no image that can be read ({error})") from error
        return torch.from_numpy(np.array(fitted)).reshape(height, width, channels).permute(2, 0, 1).contiguous()
