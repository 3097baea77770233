"""Confusion matrices and the accuracy of each class, against scikit-learn's."""

import math
from itertools import product

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import confusion_matrix, recall_score

from atelier.metrics.confusion import ConfusionMatrix, class_accuracies

CLASSES = 4
CLASS = st.integers(0, CLASSES - 1)
Pairs = list[tuple[int, int]]  # predicted, true
PAIRS = st.lists(st.tuples(CLASS, CLASS), min_size=1, max_size=40)


def filled(*batches: Pairs) -> ConfusionMatrix:
    metric = ConfusionMatrix(CLASSES)
    for batch in batches:
        predicted, true = torch.tensor(batch).unbind(1)
        metric.update(predicted, true)
    return metric


@given(PAIRS, PAIRS)
def test_it_counts_as_scikit_learn_does(first: Pairs, second: Pairs) -> None:
    predicted, true = zip(*first, *second, strict=True)
    expected = confusion_matrix(true, predicted, labels=range(CLASSES))
    assert filled(first, second).compute().tolist() == [[*row, 0] for row in expected.tolist()]


@given(PAIRS, PAIRS)
def test_merging_two_metrics_counts_all_samples(first: Pairs, second: Pairs) -> None:
    merged, other = filled(first), filled(second)
    merged.merge_state(other)
    assert merged.compute().tolist() == filled(first, second).compute().tolist()


@given(PAIRS)
def test_the_accuracy_of_a_class_is_its_recall(pairs: Pairs) -> None:
    predicted, true = zip(*pairs, strict=True)
    expected = recall_score(true, predicted, labels=range(CLASSES), average=None, zero_division=math.nan)
    found = class_accuracies(filled(pairs).compute()).tolist()
    assert found == pytest.approx(expected.tolist(), rel=1e-15, nan_ok=True)


def test_a_reset_metric_has_forgotten() -> None:
    metric = filled([(0, 1), (2, 2)])
    metric.reset()
    metric.update(torch.tensor([3]), torch.tensor([0]))
    assert metric.compute().sum() == metric.compute()[0, 3] == 1


def test_updating_reads_nothing_back() -> None:
    """On the meta device there are no values, so that whatever waited for one would fail."""
    metric = ConfusionMatrix(CLASSES)
    metric.counts = metric.counts.to("meta")
    metric.update(torch.zeros(5, dtype=torch.long, device="meta"), torch.zeros(5, dtype=torch.long, device="meta"))
    assert metric.counts.shape == (CLASSES, 1 + CLASSES)


@pytest.mark.parametrize(
    ("which", "wrong"), [("true", -1), ("predicted", -2), *product(("predicted", "true"), (CLASSES, CLASSES + 2))]
)
def test_what_is_none_of_the_classes_is_not_counted_as_another(which: str, wrong: int) -> None:
    metric = ConfusionMatrix(CLASSES)
    pair = {"predicted": torch.tensor([0, 1]), "true": torch.tensor([1, 1])}
    pair[which][0] = wrong
    with pytest.raises((RuntimeError, IndexError), match=r"out of (range|bounds)"):
        metric.update(**pair)
    assert metric.counts.sum() == 0
