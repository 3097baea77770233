"""Stratified splits: complete, disjoint, repeatable, and as even as whole numbers allow."""

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from hydra.utils import get_class
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from atelier.data.split import lot, named_fold, named_split, stratified_fold, stratified_split, with_test_part
from atelier.errors import InputError

CLOCKS = torch.stack([torch.arange(18_000) % 720 // 60, torch.arange(18_000) % 60], 1)  # each time 25 times


def counts(times: Tensor) -> Tensor:
    """How often each of the 720 times occurs."""
    return torch.bincount(times[:, 0] * 60 + times[:, 1], minlength=720)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_clocks_are_split_80_10_10_with_every_time_in_each_part(seed: int) -> None:
    rest, test = stratified_split(CLOCKS, 0.1, seed)
    train, val = stratified_split(CLOCKS[rest], 1 / 9, seed)
    assert (len(train), len(val), len(test)) == (14_400, 1_800, 1_800)
    for part, allowed in ((CLOCKS[rest][train], {20}), (CLOCKS[rest][val], {2, 3}), (CLOCKS[test], {2, 3})):
        assert set(counts(part).tolist()) <= allowed


@given(
    labels=st.lists(st.integers(0, 6), min_size=1, max_size=200),
    share=st.floats(0, 1),
    seed=st.integers(0, 100),
)
def test_the_parts_are_disjoint_and_complete(labels: list[int], share: float, seed: int) -> None:
    large, small = stratified_split(torch.tensor(labels), share, seed)
    assert sorted(large.tolist() + small.tolist()) == list(range(len(labels)))
    assert len(small) == round(len(labels) * share)
    assert large.tolist() == sorted(large.tolist())
    assert small.tolist() == sorted(small.tolist())


@given(
    labels=st.lists(st.integers(0, 6), min_size=1, max_size=200),
    share=st.floats(0, 1),
    seed=st.integers(0, 100),
)
def test_each_class_gives_its_share_rounded_up_or_down(labels: list[int], share: float, seed: int) -> None:
    _, small = stratified_split(torch.tensor(labels), share, seed)
    chosen = [labels[row] for row in small]
    for label in set(labels):
        quota = labels.count(label) * share
        assert math.floor(quota - 1e-4) <= chosen.count(label) <= math.ceil(quota + 1e-4)


def test_rows_left_over_come_from_the_largest_remainders() -> None:
    labels = torch.tensor([0] * 19 + [1] * 14 + [2] * 11)  # a tenth: 1.9, 1.4 and 1.1; four rows in all
    _, small = stratified_split(labels, 0.1, seed=0)
    assert torch.bincount(labels[small]).tolist() == [2, 1, 1]


def test_classes_that_are_too_small_for_the_share_take_turns() -> None:
    labels = torch.arange(100)  # one row each
    first, second = (stratified_split(labels, 0.3, seed)[1] for seed in (0, 1))
    assert len(first) == len(second) == 30
    assert not torch.equal(first, second)


def test_a_split_is_repeatable_and_its_seed_matters() -> None:
    first, again, other = (stratified_split(CLOCKS, 0.1, seed)[1] for seed in (3, 3, 4))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_a_split_neither_reads_nor_disturbs_the_global_generator() -> None:
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    stratified_split(CLOCKS, 0.1, seed=0)
    assert torch.equal(torch.rand(3), expected)


def test_rows_of_labels_are_one_class_each() -> None:
    labels = torch.tensor([[0, 1]] * 10 + [[1, 0]] * 10)
    _, small = stratified_split(labels, 0.2, seed=0)
    assert labels[small].tolist() == [[0, 1]] * 2 + [[1, 0]] * 2


def test_names_that_are_not_tested_are_divided_as_all_would_be() -> None:
    names = [f"{number}.png" for number in range(2000)]
    rest = [names[row] for row in named_split(names, 0.3, seed=0, purpose="test")[0]]
    for part, share in (
        (named_split(rest, 0.3, seed=0), 0.3),
        *((named_fold(rest, 4, n, seed=0), 0.25) for n in range(4)),
    ):
        assert len(part[1]) / len(rest) == pytest.approx(share, abs=0.05)
        assert sorted(torch.cat(part).tolist()) == list(range(len(rest)))
    lowest = min(range(5), key=lambda row: lot(names[row], 0, "validate"))
    assert named_split(names[:5], 1e-9, seed=0)[1].tolist() == [lowest]


VALUES = torch.cat([torch.arange(30.0).repeat(3), torch.arange(100.0, 110.0)])  # each thrice, and ten rare ones


@pytest.mark.parametrize("values", [VALUES, VALUES.double()[:, None], torch.stack([VALUES, -VALUES], 1)])
def test_floats_are_no_classes_and_rare_ones_are_drawn_like_others(values: Tensor) -> None:
    parts = [stratified_split(values, 0.1, seed)[1] for seed in range(100)]
    assert {len(part) for part in parts} == {10}
    drawn = torch.bincount(torch.cat(parts), minlength=100)
    assert drawn.min() > 0
    assert drawn[90:].float().mean().item() == pytest.approx(10, abs=3)
    tested = with_test_part(values, values, 0.1, seed=3)["test_labels"]
    assert torch.equal(tested, values[parts[3]])


@pytest.mark.parametrize("values", [VALUES, torch.arange(100.0), torch.rand(100, 2)])
def test_the_folds_of_floats_follow_the_seed(values: Tensor) -> None:
    folds = [[stratified_fold(values, 7, fold, seed)[1] for fold in range(7)] for seed in (0, 1)]
    for parts in folds:
        assert torch.cat(parts).sort().values.tolist() == list(range(100))
        assert {len(part) for part in parts} == {14, 15}
    assert not torch.equal(folds[0][0], folds[1][0])


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("image_folder", "test_share"),
        ("dogs_vs_cats", "test_share"),
        ("cat_faces", "test_share"),
        ("digit_pairs", "draw"),
        ("digit_pairs_digits", "train_pairs"),
        ("digit_pairs", "validation_pairs"),
        ("disk", "train_points"),
        ("palindromes", "held_out"),
        ("clocks_any", "num_images"),
        *(("mnist", key) for key in ("validation_share", "folds", "fold", "split_seed")),
    ],
)
def test_what_decides_the_split_of_a_run_stays(compose: Callable[..., Any], name: str, key: str) -> None:
    own = ["data.images=images", "data.classes=[a,b]"] if name == "image_folder" else []
    data = compose(f"data={name}", *own).data
    kind: Any = get_class(data._target_)
    trained = dict(data)
    kind.check_split(trained, trained | {"eval_batch_size": 3, "train_size": 7, "seed": 4})
    with pytest.raises(InputError, match=f"^data.{key}=3: the run was trained with "):
        kind.check_split(trained, trained | {key: 3})
