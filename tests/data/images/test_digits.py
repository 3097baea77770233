"""The bundled digits, and with them the options that all sets share: folds, subsets, the validation share."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from atelier.data.images import ImageData
from atelier.errors import InputError

Make = Callable[..., ImageData]


def test_the_digits_are_scikit_learns(make: Make, ready: Make) -> None:
    from sklearn.datasets import load_digits

    data = ready(make("digits"))
    images = torch.cat([data.sets["train"].inputs, data.sets["test"].inputs])
    labels = torch.cat([data.sets["train"].labels, data.sets["test"].labels])
    assert images.shape == (1797, 1, 8, 8)
    assert labels.bincount().tolist() == np.bincount(load_digits().target).tolist()
    theirs = torch.from_numpy(load_digits().images).sum(0)
    assert (images.double().sum(0)[0] * 16 / 255 - theirs).abs().max() < 0.02 * 1797
    assert data.classes == list("0123456789")


@pytest.mark.parametrize("option", ["digits", "digit_pairs_digits"])
def test_mean_0_and_deviation_1_leave_values_divided_by_255_without_a_word(
    make: Make, ready: Make, option: str
) -> None:
    data = ready(make(option, "data.mean=0", "data.std=1"))
    images = data.sets["train"].inputs[:20]
    assert torch.allclose(data.normalise(images), images / 255)
    assert torch.allclose(data.picture(data.normalise(images)), images / 255)


def test_another_mean_than_the_datas_is_told(make: Make, ready: Make) -> None:
    with pytest.warns(UserWarning, match="data.mean=0 data.std=0.5, but the training images have data.mean="):
        ready(make("digits", "data.mean=0", "data.std=0.5"))


def test_training_validation_and_test_digits_share_no_row(make: Make, ready: Make) -> None:
    data = ready(make("digits"))
    train, val = set(data.sets["train"].rows.tolist()), set(data.sets["val"].rows.tolist())
    assert not train & val
    assert len(train | val) == 1797 - len(data.sets["test"])


def test_folds_part_the_training_set(make: Make, ready: Make) -> None:
    parts = [ready(make("digits", "data.folds=3", f"data.fold={fold}")).sets for fold in range(3)]
    inside = torch.cat([sets["val"].rows for sets in parts])
    assert inside.sort().values.tolist() == list(range(len(parts[0]["train"]) + len(parts[0]["val"])))
    for sets in parts:
        assert not set(sets["train"].rows.tolist()) & set(sets["val"].rows.tolist())
        counts = sets["val"].labels[sets["val"].rows].bincount()
        everything = sets["val"].labels.bincount() / 3
        assert ((counts - everything).abs() < 1).all()


def test_a_fold_that_does_not_exist_is_told(make: Make) -> None:
    with pytest.raises(InputError, match=r"data\.folds=3 data\.fold=3: give a fold from 0 to 2"):
        make("digits", "data.folds=3", "data.fold=3")


def test_a_subset_keeps_the_shares_of_the_classes_and_the_validation_set(make: Make, ready: Make) -> None:
    whole, part = ready(make("digits")), ready(make("digits", "data.train_size=100"))
    assert len(part.sets["train"]) == 100
    assert set(part.sets["train"].rows.tolist()) <= set(whole.sets["train"].rows.tolist())
    assert torch.equal(part.sets["val"].rows, whole.sets["val"].rows)
    assert part.sets["train"].labels[part.sets["train"].rows].bincount().tolist() == pytest.approx([10] * 10, abs=1)


@pytest.mark.parametrize("size", [1151, 5000])
def test_a_subset_larger_than_the_set_is_told(make: Make, ready: Make, size: int) -> None:
    with pytest.raises(InputError, match=rf"data\.train_size={size}: give 1 to 1150"):
        ready(make("digits", f"data.train_size={size}"))


@pytest.mark.parametrize(
    "part", [[], ["data.folds=3"], ["data.validation_share=0", "data.train_size=100"]], ids=["share", "folds", "size"]
)
def test_the_parts_follow_their_own_seed_and_not_the_runs(make: Make, ready: Make, part: list[str]) -> None:
    given = ([], ["seed=1"], ["data.split_seed=1"])
    first, again, other = (ready(make("digits", *part, *one)).sets["train"].rows for one in given)
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_training_and_evaluation_have_batches_of_their_own_size(make: Make, ready: Make) -> None:
    data = ready(make("digits", "data.batch_size=30", "data.eval_batch_size=70"))
    loaders = data.train_dataloader(), data.val_dataloader(), data.test_dataloader()
    assert [len(next(iter(loader))[1]) for loader in loaders] == [30, 70, 70]


@pytest.mark.parametrize("batches", [0, 1])
def test_lightnings_overfit_batches_are_the_same_in_each_epoch(make: Make, ready: Make, batches: int) -> None:
    data: Any = ready(make("digits"))
    data.trainer = SimpleNamespace(overfit_batches=batches, world_size=1, global_rank=0)
    loader, epochs = data.train_dataloader(), []
    for epoch in (0, 1):
        loader.batches.set_epoch(epoch)
        epochs.append(torch.cat([labels for _, labels in loader]))
    assert torch.equal(*epochs) == bool(batches)


def test_without_a_share_the_whole_set_trains(make: Make, ready: Make) -> None:
    data = ready(make("digits", "data.validation_share=0"))
    assert len(data.sets["train"]) == len(data.sets["val"]) == 1438


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (
            "data.validation_share=0.0001",
            "data.validation_share=0.0001 of 1438 leaves no sample to validate; give more, or 0",
        ),
        (
            "data.validation_share=0.9999",
            "data.validation_share=0.9999 of 1438 leaves no sample to train on; give less",
        ),
        ("data.folds=2000 data.fold=1999", "data.folds=2000 of 1438 leaves no sample to validate; give fewer"),
        ("data.augment=true data.augmentation.shift=8", "data.augmentation.shift=8: give 0 to 7, less than a side"),
        ("data.augment=true data.augmentation=null", "data.augment=true: this data set has no data.augmentation"),
    ],
)
def test_an_option_that_cannot_be_is_told(make: Make, ready: Make, given: str, message: str) -> None:
    with pytest.raises(InputError) as told:
        ready(make("digits", *given.split()))
    assert str(told.value).startswith(message)
