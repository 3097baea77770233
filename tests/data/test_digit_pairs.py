"""Pairs of digits: of the right digits, with the right labels, each draw its own; folds, new pairs, files."""

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from omegaconf import DictConfig
from PIL import Image
from safetensors.torch import load_file
from torch import Tensor

from atelier.compose.targets import build
from atelier.data.digit_pairs import DigitPairs, new_pairs
from atelier.errors import InputError

Compose = Callable[..., DictConfig]
Make = Callable[..., DigitPairs]


@pytest.fixture
def make(compose: Compose, data_dir: Path) -> Make:
    """`make("data.draw=1")`: pairs of the bundled digits, set up."""

    def made(*overrides: str) -> DigitPairs:
        data = build(compose("data=digit_pairs_digits", f"paths.data={data_dir}", *overrides).data)
        data.prepare_data()
        data.setup()
        return data

    return made


def rows(data: DigitPairs, split: str) -> tuple[Tensor, Tensor]:
    """All pairs and labels of a split."""
    return data.sets[split][torch.arange(len(data.sets[split]))]


def keys(images: Tensor) -> list[bytes]:
    """The single digits of pairs, as values that can be compared and counted."""
    return [digit.numpy().tobytes() for digit in images.flatten(0, 1)]


@pytest.fixture
def digits(make: Make, data_dir: Path) -> dict[str, Tensor]:
    """The set that the pairs are drawn from."""
    make()
    return load_file(data_dir / "digits.safetensors")


def test_a_label_says_which_digits_they_are_and_whether_the_first_is_at_most_the_second(
    make: Make, digits: dict[str, Tensor]
) -> None:
    data = make()
    for split, part in (("train", "train"), ("val", "train"), ("test", "test")):
        images, labels = digits[f"{part}_images"], digits[f"{part}_labels"]
        known = {image.numpy().tobytes(): int(label) for image, label in zip(images, labels, strict=True)}
        pairs, told = rows(data, split)
        first, second = ([known[key] for key in keys(pairs)][i::2] for i in (0, 1))
        assert told.tolist() == [[int(a <= b), a, b] for a, b in zip(first, second, strict=True)]


def test_there_are_as_many_as_asked_and_no_digit_is_in_two_pairs(make: Make, digits: dict[str, Tensor]) -> None:
    data = make()
    assert {split: len(found) for split, found in data.sets.items()} == {"train": 500, "val": 200, "test": 175}
    own = Counter(keys(digits["train_images"]) + keys(digits["test_images"]))
    drawn = Counter(key for split in data.sets for key in keys(rows(data, split)[0]))
    assert drawn <= own, "a picture that the set has once is drawn once"


def test_a_draw_is_repeatable_and_another_number_another_draw(make: Make) -> None:
    first, again, other = (rows(make(f"data.draw={draw}"), "test")[0] for draw in (3, 3, 4))
    assert torch.equal(first, again)
    shared = set(keys(first)) & set(keys(other))
    assert len(shared) < 350, "350 of 359 test digits are drawn each time"
    assert not torch.equal(first, other)


def test_the_seed_of_the_run_does_not_change_the_pairs(make: Make) -> None:
    assert torch.equal(rows(make("seed=0"), "train")[0], rows(make("seed=1"), "train")[0])


def test_pooling_takes_the_mean_of_squares(make: Make) -> None:
    data = make()
    data.pool = 2
    digit = torch.tensor([[0, 4, 255, 255], [8, 12, 255, 255], [1, 0, 2, 2], [0, 0, 3, 3]], dtype=torch.uint8)
    assert data.pooled(digit[None, None]).tolist() == [[[[6, 255], [0, 2]]]]  # 0.25 and 2.5 are rounded, 2.5 to even


@pytest.mark.parametrize("fold", [0, 1, 2])
def test_folds_part_the_training_pairs_and_keep_the_answers_shares(make: Make, fold: int) -> None:
    whole, data = make(), make("data.folds=3", f"data.fold={fold}")
    parts = [keys(rows(data, split)[0]) for split in ("train", "val")]
    assert sorted(parts[0] + parts[1]) == sorted(keys(rows(whole, "train")[0])), "no further pairs among them"
    assert len(data.sets["val"]) in (166, 167)
    shares = [rows(data, split)[1][:, 0].float().mean().item() for split in ("train", "val")]
    assert abs(shares[0] - shares[1]) < 1 / 166
    assert torch.equal(rows(data, "test")[0], rows(whole, "test")[0])


def test_the_training_set_can_be_smaller_with_the_same_validation(make: Make) -> None:
    data = make("data.train_size=100")
    assert len(data.sets["train"]) == 100
    assert torch.equal(rows(data, "val")[0], rows(make(), "val")[0])


def test_without_further_pairs_a_share_of_the_training_pairs_validates(make: Make) -> None:
    data = make("data.validation_pairs=0", "data.validation_share=0.2")
    assert (len(data.sets["train"]), len(data.sets["val"])) == (400, 100)


def test_made_up_pairs_have_the_same_shape(make: Make) -> None:
    images, labels = rows(make("data.source=fake", "data.train_pairs=3000"), "train")
    assert images.shape == (3000, 2, 8, 8)
    assert torch.equal(labels[:, 0], (labels[:, 1] <= labels[:, 2]).long())


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("data.validation_share=0.1", "data.validation_pairs=200 data.validation_share=0.1: give one of them"),
        ("data.train_pairs=600", r"data.train_pairs \+ data.validation_pairs=800: 1438 train digits make 719 pairs"),
        ("data.test_pairs=180", "data.test_pairs=180: 359 test digits make 179 pairs at most"),
    ],
)
def test_what_cannot_be_drawn_is_refused(make: Make, override: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        make(override)


# ---------------------------------------------------------------------- training batches


class Trainer:
    training = True
    precision = "32-true"


def test_new_pairs_are_of_the_same_digits_with_labels_that_fit() -> None:
    torch.manual_seed(0)
    classes = torch.randint(10, (50, 2))
    images = classes[:, :, None, None].float().expand(-1, -1, 3, 3)  # a digit's pixels tell its class
    labels = torch.cat([(classes[:, :1] <= classes[:, 1:]).long(), classes], 1)
    found, told = new_pairs(images, labels)
    assert torch.equal(found[:, :, 0, 0].long(), told[:, 1:])
    assert told[:, 0].tolist() == [int(a <= b) for a, b in told[:, 1:].tolist()]
    assert sorted(told[:, 1:].flatten().tolist()) == sorted(classes.flatten().tolist())
    assert not torch.equal(told, labels)


@pytest.mark.parametrize("repair", [False, True])
def test_only_training_batches_get_new_pairs_and_only_if_told(make: Make, repair: bool) -> None:
    data: Any = make(f"data.repair={str(repair).lower()}")
    batch = rows(data, "train")
    assert torch.equal(data.on_after_batch_transfer(batch, 0)[1], batch[1])
    data.trainer = Trainer()
    assert torch.equal(data.on_after_batch_transfer(batch, 0)[1], batch[1]) != repair


def test_each_digit_of_a_pair_is_changed_on_its_own(make: Make) -> None:
    data: Any = make("data.augment=true")
    data.trainer = Trainer()
    images = torch.rand(5, 1, 8, 8).expand(-1, 2, -1, -1)
    changed = data.augmented(images)
    assert changed.shape == (5, 2, 8, 8)
    assert not torch.allclose(changed[:, 0], changed[:, 1])


def test_random_operations_change_each_digit_of_a_pair(make: Make) -> None:
    """torchvision has some for one or three channels only, and a pair has two."""
    data: Any = make("data.operations=2", "data.magnitude=30")
    images = rows(data, "train")[0][:200]
    changed = data.augmented_pixels(images)
    assert (changed.shape, changed.dtype) == (images.shape, torch.uint8)
    assert 0 < (changed != images).flatten(2).any(2).sum() < 400  # some operations leave a digit as it is


# ---------------------------------------------------------------------- a user's file


def test_a_picture_of_two_digits_is_read_as_a_pair(make: Make, tmp_path: Path) -> None:
    pair = rows(make(), "test")[0][0]
    path = tmp_path / "pair.png"
    Image.fromarray(np.concatenate([pair[0].numpy(), pair[1].numpy()], axis=1)).save(path)
    assert torch.equal(make().load_file(path), pair)


def test_few_pairs_need_not_have_the_highest_digit(make: Make) -> None:
    few = ["data.train_pairs=2", "data.validation_pairs=1", "data.augment=false", "data.mean=0", "data.std=1"]
    highest = [int(make(*few, f"data.draw={draw}").sets["train"].labels[:, 1:].max()) for draw in range(4)]
    assert min(highest) < 9
    with pytest.raises(InputError, match=r"^data.num_classes=12: .* has 10 classes"):
        make("data.num_classes=12")
