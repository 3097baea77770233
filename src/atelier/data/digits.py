"""The handwritten digits of 8×8 pixels in scikit-learn, a small data set that needs no download."""

import torch

from atelier.data.images import ImageData
from atelier.data.split import with_test_part
from atelier.data.tensors import Tensors

TEST_SHARE = 0.2


class Digits(ImageData):
    """1,797 digits by 43 people, from the test part of the UCI set 'Optical Recognition of Handwritten Digits'.

    Pixels are counts of 0–16, scaled to 0–255. There is no official test set: a fixed fifth of each class is the test
    set.
    """

    @property
    def cache_name(self) -> str:
        return "digits"

    def make(self) -> tuple[Tensors, list[str]]:
        from sklearn.datasets import load_digits  # only the first run imports scikit-learn

        bunch = load_digits()
        images = torch.from_numpy(bunch.images).mul(255 / 16).round().byte()[:, None]  # (1797, 1, 8, 8)
        labels = torch.from_numpy(bunch.target).long()
        return with_test_part(images, labels, TEST_SHARE, seed=0), [str(name) for name in bunch.target_names]
