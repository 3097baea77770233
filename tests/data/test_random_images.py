"""Noise in the place of pictures, augmented like them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from atelier.compose.targets import build
from atelier.data.random_images import RandomImages
from atelier.errors import InputError


def test_noise_can_be_augmented(compose: Callable[..., Any]) -> None:
    images = torch.randn(8, 1, 28, 28, generator=torch.Generator().manual_seed(0))
    plain, changed = (build(compose("data=random_images", f"data.augment={given}").data) for given in ("false", "true"))
    assert torch.equal(plain.augmented(images), images)
    assert not torch.equal(changed.augmented(images), images)


def test_a_highest_class_without_a_sample_is_no_fault(compose: Callable[..., Any], tmp_path: Path) -> None:
    given = ["data=random_images", "data.shape=[1,2,2]", "data.num_images=100", "data.num_classes=1000"]
    data = build(compose(*given, f"paths.data={tmp_path}").data)
    data.prepare_data()
    data.setup()
    images, labels = data.sets["train"].inputs, data.sets["train"].labels
    assert labels.max() < 999
    data.num_classes = int(labels.max())
    with pytest.raises(
        InputError, match=f"^data.num_classes={data.num_classes}: .* has {data.num_classes + 1} classes"
    ):
        data.check_facts(images, labels)
    with pytest.raises(InputError, match=r"^data.num_classes=\d+: .* has 2 classes, a, b"):
        data.check_facts(images, labels * 0, ["a", "b"])


def test_a_run_is_not_tested_on_images_of_another_number(compose: Callable[..., Any], tmp_path: Path) -> None:
    """Since all are one stream of numbers, test images of fewer would be training images of more."""
    config = compose("data=random_images", f"paths.data={tmp_path}").data
    trained, fewer = {**config, "num_images": 100}, {**config, "num_images": 50}
    with pytest.raises(InputError, match=r"^data.num_images=50: the run was trained with 100, and another split may"):
        RandomImages.check_split(trained, fewer)
    RandomImages.check_split(trained, {**trained, "batch_size": 7})
