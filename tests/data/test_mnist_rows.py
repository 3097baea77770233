"""MNIST as sequences: pictures in, rows or pixels out, and back."""

from collections.abc import Callable
from typing import Any

import pytest
import torch

from atelier.compose.targets import build
from atelier.data.mnist_rows import MnistRows
from atelier.errors import InputError

Make = Callable[..., MnistRows]


@pytest.fixture
def make(compose: Callable[..., Any]) -> Make:
    def made(option: str, *overrides: str) -> MnistRows:
        return build(compose(f"data={option}", "data.source=fake", *overrides).data)

    return made


@pytest.fixture
def images() -> torch.Tensor:
    return torch.randint(256, (3, 1, 28, 28), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


def test_a_step_is_a_row(make: Make, images: torch.Tensor) -> None:
    rows = make("mnist_rows").normalise(images)
    assert rows.shape == (3, 28, 28)
    expected = (images[1, 0, 5].double() / 255 - 0.1307) / 0.3081
    assert torch.allclose(rows[1, 5].double(), expected, atol=1e-5)


def test_a_step_is_a_pixel(make: Make, images: torch.Tensor) -> None:
    pixels = make("mnist_pixels").normalise(images)
    assert pixels.shape == (3, 784, 1)
    assert torch.equal(pixels.view(3, 28, 28), make("mnist_rows").normalise(images))


def test_a_permutation_is_always_the_same_and_moves_every_picture_alike(make: Make, images: torch.Tensor) -> None:
    plain = make("mnist_pixels").normalise(images)
    first, again = (make("mnist_pixels", "data.permuted=true", f"seed={seed}").normalise(images) for seed in (0, 1))
    assert torch.equal(first, again)
    assert not torch.equal(first, plain)
    assert torch.equal(first.sort(1).values, plain.sort(1).values)
    same = make("mnist_pixels", "data.permuted=true").normalise(images[:1].expand(2, -1, -1, -1))
    assert torch.equal(same[0], same[1])


@pytest.mark.parametrize("option", ["mnist_rows", "mnist_pixels"])
@pytest.mark.parametrize("permuted", ["true", "false"])
def test_sequences_turn_back_into_their_pictures(make: Make, images: torch.Tensor, option: str, permuted: str) -> None:
    data = make(option, f"data.permuted={permuted}")
    assert torch.allclose(data.picture(data.normalise(images)), images / 255, atol=1e-5)


def test_it_reads_the_cache_of_mnist(make: Make, compose: Callable[..., Any]) -> None:
    assert make("mnist_rows").path == build(compose("data=mnist").data).path


def test_validation_is_a_part_of_the_training_set(make: Make) -> None:
    data = make("mnist_rows")
    data.setup()
    assert {name: len(part) for name, part in data.sets.items()} == {"train": 1800, "val": 200, "test": 500}
    assert not set(data.sets["train"].rows.tolist()) & set(data.sets["val"].rows.tolist())


def test_a_shape_that_loses_pixels_is_refused(make: Make) -> None:
    with pytest.raises(InputError, match=r"data\.shape=\[28, 27\]: give the steps and the numbers in each, 784 in all"):
        make("mnist_rows", "data.shape=[28,27]")
