"""Faces of cats, 64×64 in colour (Leiden report, assignment 2): from a folder, an array, or Kaggle."""

from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
from annotated_types import Interval
from torch import Tensor

from atelier.data.class_folders import ENDINGS
from atelier.data.images import FileShape, ImageData, load_images
from atelier.data.kaggle import from_kaggle, link
from atelier.data.split import with_test_part
from atelier.data.tensors import Tensors
from atelier.errors import InputError

DATASET = "spandan2/cats-faces-64x64-for-generative-models"  # on Kaggle


class CatFaces(ImageData):
    """All images of a folder and its folders, or an array (N, H, W, 3) uint8 in an `.npy` file; no labels.

    The report's authors made an `.npy` file too, and do not say what shape and type theirs has.

    Args:
        images: the folder, or the `.npy` file.
        download: fetch it with kagglehub (extra `kaggle`) where nothing is there.
        test_share: the part that tests, always the same; 0: none.
        shape: (C, H, W) that the images are made into, of 1 or 3 channels.
        **options: see `ImageData`.
    """

    def __init__(
        self,
        images: str,
        download: bool,
        test_share: Annotated[float, Interval(ge=0, lt=1)],
        shape: FileShape,
        **options: Any,
    ) -> None:
        super().__init__(shape=shape, **options)
        self.images, self.download, self.test_share = Path(images), download, float(test_share)

    @property
    def cache_name(self) -> str:
        own = "" if self.images.stem == "cat_faces" else f"_{self.images.stem}"
        return f"cat_faces{own}_{'x'.join(map(str, self.shape))}_test{self.test_share}"

    def check_can_make(self) -> None:
        if not self.images.exists() and not self.download:
            raise InputError(
                f"data=cat_faces: there is no {self.images}. Put the images (a folder, or data.images=FILE.npy) there,"
                " or have them fetched with\ndata.download=true (needs the extra `kaggle`);"
                " data=dogs_vs_cats data.classes=[cat] are other photographs of cats"
            )

    def make(self) -> tuple[Tensors, None]:
        self.check_can_make()
        if not self.images.exists():
            link(from_kaggle(lambda kagglehub: kagglehub.dataset_download(DATASET)), self.images)
        images = self.from_array() if self.images.suffix == ".npy" else self.from_folder()
        labels = torch.zeros(len(images), dtype=torch.int64)
        return with_test_part(images, labels, self.test_share, seed=0), None

    def from_array(self) -> Tensor:
        """
        Raises:
            InputError: if the file is no array of colour images of the wanted size.
        """
        try:
            array = np.load(self.images, allow_pickle=False)
        except (OSError, ValueError) as error:
            raise InputError(f"data.images={self.images} is no array that can be read ({error})") from error
        channels, height, width = self.shape
        if array.dtype != np.uint8 or array.shape[1:] != (height, width, channels):
            wanted = f"uint8 [N, {height}, {width}, {channels}]"
            raise InputError(f"data.images={self.images}: {array.dtype} {list(array.shape)}, not {wanted}")
        return torch.from_numpy(array).permute(0, 3, 1, 2).contiguous()

    def from_folder(self) -> Tensor:
        """
        Raises:
            InputError: if there is no image, or one that cannot be read.
        """
        files = sorted(file for file in self.images.rglob("*") if file.suffix.lower() in ENDINGS)
        if not files:
            raise InputError(f"data.images={self.images}: no images in it")
        return load_images(files, self.shape, "Reading images")
