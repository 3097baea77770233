"""Augmentation changes pictures by what it says, and nothing else."""

import itertools
import math

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from atelier.data.augment import CropFlipCutout, PhotoJitter
from atelier.errors import InputError


@pytest.fixture
def images() -> Tensor:
    return torch.randn(6, 1, 15, 15, generator=torch.Generator().manual_seed(0))


def spot(row: int, column: int, side: int = 9) -> Tensor:
    image = torch.zeros(1, 1, side, side)
    image[0, 0, row, column] = 1
    return image


def brightest(image: Tensor) -> tuple[int, int]:
    row, column = divmod(image[0, 0].argmax().item(), image.shape[3])
    return int(row), int(column)


@pytest.fixture
def highest(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every random choice at its upper end."""
    monkeypatch.setattr(torch, "rand", lambda *shape, device=None: torch.ones(*shape, device=device))


@pytest.fixture
def lowest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch, "rand", lambda *shape, device=None: torch.zeros(*shape, device=device))


@pytest.mark.parametrize("shape", [(4, 1, 75, 75), (2, 3, 8, 8), (1, 1, 28, 20)])
def test_images_keep_shape_and_kind_and_stay_finite(shape: tuple[int, ...]) -> None:
    jitter = PhotoJitter(rotation=10, scale=0.1, shift=0.05, brightness=0.2, noise=0.1)
    changed = jitter(torch.randn(*shape))
    assert changed.shape == shape
    assert changed.dtype == torch.float32
    assert changed.isfinite().all()


def test_a_square_picture_is_moved_as_by_the_matrix_without_an_aspect(images: Tensor) -> None:
    """Bit by bit: runs on square pictures go on as before."""
    torch.manual_seed(5)
    changed = PhotoJitter(rotation=20, scale=0.1, shift=0.1)(images)
    torch.manual_seed(5)
    angle, size, move = ((torch.rand(len(images), *shape) * 2 - 1) for shape in ((), (), (2,)))
    angle, size, move = angle * math.radians(20), torch.exp(size * math.log1p(0.1)), move * 2 * 0.1
    rows = [angle.cos() / size, -(angle.sin() / size), move[:, 0], angle.sin() / size, angle.cos() / size, move[:, 1]]
    grid = F.affine_grid(torch.stack(rows, 1).view(-1, 2, 3), list(images.shape), align_corners=False)
    expected = F.grid_sample(images, grid, padding_mode="reflection", align_corners=False)
    assert torch.equal(changed, expected)


def test_without_strength_nothing_changes(images: Tensor) -> None:
    torch.testing.assert_close(PhotoJitter()(images), images, atol=1e-5, rtol=0)


@pytest.mark.parametrize(
    ("kind", "strength"), [("rotation", 20), ("scale", 0.3), ("shift", 0.2), ("brightness", 0.3), ("noise", 0.3)]
)
def test_every_strength_alone_changes_each_image_its_own_way(kind: str, strength: float) -> None:
    torch.manual_seed(0)
    image = torch.randn(1, 1, 15, 15)
    changed = PhotoJitter(**{kind: strength})(image.repeat(3, 1, 1, 1))
    for other in (image[0], changed[1], changed[2]):
        assert not torch.allclose(changed[0], other, atol=1e-3)


def test_the_given_images_are_left_alone(images: Tensor) -> None:
    before = images.clone()
    PhotoJitter(10, 0.1, 0.05, 0.2, 0.1)(images)
    assert torch.equal(images, before)


@pytest.mark.usefixtures("highest")
def test_a_quarter_turn_one_way(images: Tensor) -> None:
    torch.testing.assert_close(PhotoJitter(rotation=90)(images), torch.rot90(images, 1, (2, 3)), atol=1e-4, rtol=0)


@pytest.mark.usefixtures("lowest")
def test_a_quarter_turn_the_other_way(images: Tensor) -> None:
    torch.testing.assert_close(PhotoJitter(rotation=90)(images), torch.rot90(images, -1, (2, 3)), atol=1e-4, rtol=0)


@pytest.mark.usefixtures("highest")
def test_turning_moves_a_pixel_along_its_circle() -> None:
    assert brightest(PhotoJitter(rotation=45)(spot(0, 4, 9))) == (1, 1)  # 4 above the centre to 4/√2 left and above


@pytest.mark.usefixtures("highest")
@pytest.mark.parametrize(("height", "width"), [(13, 21), (21, 13)])
def test_turning_a_picture_that_is_not_square_keeps_distances(height: int, width: int) -> None:
    image = torch.zeros(1, 1, height, width)
    image[0, 0, height // 2 - 2, width // 2] = 1
    assert brightest(PhotoJitter(rotation=90)(image)) == (height // 2, width // 2 - 2)


@pytest.mark.usefixtures("highest")
def test_the_middle_of_a_wide_picture_turns_as_it_does_alone(images: Tensor) -> None:
    turned, wide = PhotoJitter(rotation=30), torch.cat([images] * 3, 3)
    torch.testing.assert_close(turned(wide)[..., 5:10, 20:25], turned(images)[..., 5:10, 5:10], atol=1e-4, rtol=0)


@pytest.mark.usefixtures("highest")
def test_growing_moves_a_pixel_outwards() -> None:
    assert brightest(PhotoJitter(scale=1.0)(spot(2, 4, 9))) == (0, 4)  # twice as far from the centre


@pytest.mark.usefixtures("highest")
def test_shifting_moves_a_pixel_by_that_share_of_the_side() -> None:
    assert brightest(PhotoJitter(shift=0.2)(spot(5, 5, 10))) == (3, 3)


@pytest.mark.usefixtures("highest")
def test_brightness_scales_and_offsets_the_values(images: Tensor) -> None:
    torch.testing.assert_close(PhotoJitter(brightness=0.5)(images), 1.5 * images + 0.5, atol=1e-4, rtol=0)


@pytest.mark.usefixtures("highest")
def test_noise_has_the_stated_deviation() -> None:
    torch.manual_seed(0)
    noise = PhotoJitter(noise=0.3)(torch.zeros(4, 1, 100, 100))
    assert noise.mean().item() == pytest.approx(0, abs=0.01)
    assert noise.std().item() == pytest.approx(0.3, rel=0.02)


def test_random_turns_stay_within_the_stated_angle() -> None:
    torch.manual_seed(0)
    seen = set()
    for _ in range(100):
        _, column = brightest(PhotoJitter(rotation=10)(spot(2, 20, 41)))  # 18 above the centre
        seen.add(column - 20)
    assert max(seen) == -min(seen) == 3  # 18 · sin 10° = 3.1


def test_a_crop_moves_by_less_than_the_smaller_side() -> None:
    crop = CropFlipCutout(shift=7)
    crop.check((1, 8, 9))
    assert crop(torch.zeros(2, 1, 8, 9)).shape == (2, 1, 8, 9)
    with pytest.raises(InputError, match=r"data\.augmentation\.shift=7: give 0 to 6, less than a side"):
        crop.check((1, 9, 7))


def found(changed: Tensor, known: list[Tensor]) -> Tensor:
    """How many of the changed images (N, C, H, W) each of the known ones (C, H, W) is."""
    return (changed[:, None] == torch.stack(known)).flatten(2).all(2).sum(0)


@pytest.mark.parametrize("flip", [False, True])
@pytest.mark.parametrize(("height", "width"), [(6, 9), (9, 6)])
def test_a_crop_is_any_window_of_the_padded_picture_and_every_second_one_is_mirrored(
    height: int, width: int, flip: bool
) -> None:
    torch.manual_seed(0)
    image = torch.arange(2.0 * height * width).view(2, height, width)
    padded = F.pad(image, [2] * 4, mode="reflect")
    windows = [padded[:, down : down + height, right : right + width] for down in range(5) for right in range(5)]
    mirrored = [window.flip(2) for window in windows] if flip else []
    counts = found(CropFlipCutout(shift=2, flip=flip)(image.expand(1000, -1, -1, -1)), windows + mirrored)
    assert counts.sum() == 1000
    assert counts.min() > 0
    assert counts[25:].sum().item() == pytest.approx(500 * flip, abs=60)


@pytest.mark.parametrize("side", [3, 4])
def test_a_cutout_is_a_square_around_any_pixel(side: int) -> None:
    torch.manual_seed(0)
    squares = []
    for row, column in itertools.product(range(6), range(9)):
        top, left = row - side // 2, column - side // 2
        image = torch.ones(2, 6, 9)
        image[:, max(top, 0) : top + side, max(left, 0) : left + side] = 0
        squares.append(image)
    counts = found(CropFlipCutout(cutout=side)(torch.ones(1000, 2, 6, 9)), squares)
    assert counts.sum() == 1000
    assert counts.min() > 0
