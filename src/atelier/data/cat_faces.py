"""Faces of cats, 64×64 in colour (Leiden report, assignment 2): from a folder, an array, or Kaggle."""

from itertools import chain
from typing import Annotated, Any

import numpy as np
import torch
from annotated_types import Interval

from atelier.data.arrays import load_array
from atelier.data.cache import alone
from atelier.data.class_folders import LeftOut, files_below, readable
from atelier.data.growing import copies, digest
from atelier.data.kaggle import from_kaggle, link
from atelier.data.own_images import Files, OwnImages
from atelier.data.split import with_test_part
from atelier.data.tensors import Tensors
from atelier.errors import InputError

DATASET = "spandan2/cats-faces-64x64-for-generative-models"  # on Kaggle


class CatFaces(OwnImages):
    """All images below a folder, or an array (N, H, W, 3) uint8 in an `.npy` file; without classes.

    The report's authors also made an `.npy` file, but do not state its shape and type.

    Args:
        download: download the images with kagglehub (extra `kaggle`) if `images` does not exist.
        test_share: share of the fixed test set; 0: none.
        **options: see `OwnImages`; `images` is the folder, or the `.npy` file.
    """

    split_keys = (*OwnImages.split_keys, "test_share")

    def __init__(self, download: bool, test_share: Annotated[float, Interval(ge=0, lt=1)], **options: Any) -> None:
        super().__init__(**options)
        self.download, self.test_share = download, float(test_share)

    @property
    def cache_name(self) -> str:
        return f"{super().cache_name}_test{self.test_share}"

    @property
    def stamp(self) -> str:
        return super().stamp if self.images.exists() else ""  # without the images, the cache file is used

    def check_can_make(self) -> None:
        if not self.images.exists() and not self.download:
            raise InputError(
                f"data=cat_faces: there is no {readable(self.images)}. Put the images (a folder, or"
                " data.images=FILE.npy) there, or have them fetched with\n"
                "data.download=true (needs the extra `kaggle`); data=cat_photographs are other photographs"
                " of cats"
            )

    def prepare_data(self) -> None:
        if self.source == "real" and not self.images.exists() and (self.rebuild or not self.path.exists()):
            self.check_can_make()
            with alone(self.path):
                if not self.images.exists():  # another process may have fetched it
                    fetched = from_kaggle(lambda kagglehub: kagglehub.dataset_download(DATASET), self.images)
                    link(fetched, self.images)
        super().prepare_data()

    def files(self, left_out: LeftOut | None = None) -> Files:
        files = files_below(self.images, left_out) if self.images.is_dir() else [self.images]
        return {"train": [(file, "") for file in files]}

    def make(self) -> tuple[Tensors, None]:
        if not self.images.is_dir():
            return self.from_array(), None
        left_out = LeftOut(self.images)
        return self.gather(self.files(left_out), [""], self.test_share, left_out), None

    def from_array(self) -> Tensors:
        """
        Raises:
            InputError: if the file is no array of colour images of `shape`.
        """
        array = load_array("images", self.images)
        channels, height, width = self.shape
        if array.dtype != np.uint8 or array.shape[1:] != (height, width, channels):
            wanted = f"uint8 [N, {height}, {width}, {channels}]"
            raise InputError(f"data.images={self.images}: {array.dtype} {list(array.shape)}, not {wanted}")
        images = torch.from_numpy(array).permute(0, 3, 1, 2).contiguous()
        tensors = with_test_part(images, torch.zeros(len(images), dtype=torch.int64), self.test_share, seed=0)
        self.about = {"copies": copies(map(digest, chain(tensors["train_images"], tensors["test_images"])))}
        return tensors
