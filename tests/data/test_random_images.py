"""Noise in the place of pictures, augmented like them."""

from collections.abc import Callable
from typing import Any

import torch

from atelier.compose.targets import build


def test_noise_can_be_augmented(compose: Callable[..., Any]) -> None:
    images = torch.randn(8, 1, 28, 28, generator=torch.Generator().manual_seed(0))
    plain, changed = (build(compose("data=random_images", f"data.augment={given}").data) for given in ("false", "true"))
    assert torch.equal(plain.augmented(images), images)
    assert not torch.equal(changed.augmented(images), images)
