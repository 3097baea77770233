"""Faces of cats, 64×64 in colour (Leiden report, assignment 2): from a folder, an array, or Kaggle."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import UnidentifiedImageError
from rich.progress import track
from torch import Tensor

from atelier.data.image_folder import ENDINGS
from atelier.data.images import ImageData, load_image
from atelier.data.split import stratified_split
from atelier.data.tensors import Tensors
from atelier.errors import InputError

DATASET = "spandan2/cats-faces-64x64-for-generative-models"  # on Kaggle


class CatFaces(ImageData):
    """All images of a folder and its folders, or an array (N, H, W, 3) uint8 like the report's authors'; no labels.

    Args:
        images: the folder, or the `.npy` file.
        download: fetch it with kagglehub (extra `kaggle`) where nothing is there.
        test_share: the part that tests, always the same.
        **options: see `ImageData`.
    """

    def __init__(self, images: str, download: bool, test_share: float, **options: Any) -> None:
        super().__init__(**options)
        self.images, self.download, self.test_share = Path(images), download, test_share

    @property
    def cache_name(self) -> str:
        own = "" if self.images.stem == "cat_faces" else f"_{self.images.stem}"
        return f"cat_faces{own}_{'x'.join(map(str, self.shape))}"

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
            fetch(self.images)
        images = self.from_array() if self.images.suffix == ".npy" else self.from_folder()
        labels = torch.zeros(len(images), dtype=torch.int64)
        tensors: Tensors = {}
        for split, rows in zip(("train", "test"), stratified_split(labels, self.test_share, seed=0), strict=True):
            tensors |= {f"{split}_images": images[rows], f"{split}_labels": labels[rows]}
        return tensors, None

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
        with ThreadPoolExecutor() as pool:
            return torch.stack(list(track(pool.map(self.read, files), "Reading images", len(files), transient=True)))

    def read(self, file: Path) -> Tensor:
        try:
            return load_image(file, self.shape)
        except (UnidentifiedImageError, OSError) as error:
            raise InputError(f"data.images: {file} is no image that can be read ({error})") from error


def fetch(folder: Path) -> None:
    """Kaggle's copy, linked at `folder`.

    Raises:
        InputError: without kagglehub, or when Kaggle refuses.
    """
    try:
        import kagglehub
    except ImportError:
        raise InputError("data.download=true needs kagglehub: pip install -e '.[kaggle]'") from None
    try:
        path = kagglehub.dataset_download(DATASET)
    except Exception as error:  # kagglehub raises many kinds, its network library more
        raise InputError(f"data.download=true: Kaggle gave nothing ({type(error).__name__}: {error})") from error
    folder.parent.mkdir(parents=True, exist_ok=True)
    folder.symlink_to(path, target_is_directory=True)
