"""Random images with random labels, for timing and for trials."""

from typing import Annotated, Any

import torch
from annotated_types import Ge
from torch import Tensor

from atelier.data.images import ImageData


class RandomImages(ImageData):
    """Uniform noise with uniformly drawn labels; the test set has a tenth of `num_images`, in addition.

    Args:
        num_images: number of training and validation images.
        num_classes: number of classes.
        **options: see `ImageData`.
    """

    split_keys = (*ImageData.split_keys, "num_images")  # test images follow the others in one stream of numbers

    def __init__(self, num_images: Annotated[int, Ge(10)], num_classes: Annotated[int, Ge(1)], **options: Any) -> None:
        super().__init__(num_classes=num_classes, **options)
        self.num_images = num_images

    @property
    def cache_name(self) -> str:
        return f"random_{'x'.join(map(str, self.shape))}_{self.num_images}_{self.num_classes}"

    def make(self) -> tuple[dict[str, Tensor], None]:
        generator = torch.Generator().manual_seed(0)
        tensors = {}
        for split, count in (("train", self.num_images), ("test", self.num_images // 10)):
            size = (count, *self.shape)
            tensors[f"{split}_images"] = torch.randint(256, size, dtype=torch.uint8, generator=generator)
            tensors[f"{split}_labels"] = torch.randint(self.num_classes or 0, (count,), generator=generator)
        return tensors, None
