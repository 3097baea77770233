"""Expected calibration error, against scikit-learn's reliability curve and against its definition in a loop."""

import math

import numpy as np
import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st
from sklearn.calibration import calibration_curve
from torch import Tensor

from atelier.metrics.calibration import CalibrationError, expected_calibration_error

SAMPLES = st.lists(st.tuples(st.floats(0, 1, width=32), st.booleans()), min_size=1, max_size=60)
Samples = list[tuple[float, bool]]


def looped(samples: Samples, bins: int) -> float:
    """The definition, bin by bin."""
    total = 0.0
    for index in range(bins):
        low, high = index / bins, (index + 1) / bins
        inside = [(sure, right) for sure, right in samples if low < sure <= high or (index == 0 and sure == 0)]
        if inside:
            accuracy = sum(right for _, right in inside) / len(inside)
            confidence = sum(sure for sure, _ in inside) / len(inside)
            total += len(inside) / len(samples) * abs(accuracy - confidence)
    return total


def tensors(samples: Samples) -> tuple[Tensor, Tensor]:
    return torch.tensor([sure for sure, _ in samples]), torch.tensor([right for _, right in samples])


@given(SAMPLES, st.sampled_from([1, 2, 4, 16]))  # powers of two: whether a confidence is on an edge is never rounded
@example([(0.5, True), (0.25, False)], 2)  # 0.5 is the edge of the first bin, and in it
def test_it_is_its_definition(samples: Samples, bins: int) -> None:
    found = expected_calibration_error(*tensors(samples), bins)
    assert found.item() == pytest.approx(looped(samples, bins), abs=1e-6)


def test_it_is_the_weighted_distance_of_scikit_learns_reliability_curve() -> None:
    generator = np.random.default_rng(0)
    confidence = generator.uniform(0.1, 1, 5000)
    correct = generator.uniform(size=5000) < confidence**2
    accuracies, confidences = calibration_curve(correct, confidence, n_bins=15, strategy="uniform")
    counts, _ = np.histogram(confidence, 15, (0, 1))
    expected = np.average(np.abs(accuracies - confidences), weights=counts[counts > 0])
    found = expected_calibration_error(torch.from_numpy(confidence), torch.from_numpy(correct))
    assert found.item() == pytest.approx(expected, abs=1e-12)
    assert expected > 0.1


def test_who_is_always_sure_and_half_right_is_half_off() -> None:
    assert expected_calibration_error(torch.ones(4), torch.tensor([True, False, True, False])) == 0.5


def test_the_metric_reads_logits_batch_by_batch() -> None:
    logits, classes = torch.randn(50, 4, generator=torch.Generator().manual_seed(0)), torch.arange(50) % 4
    metric = CalibrationError()
    for part in (slice(0, 20), slice(20, 50)):
        metric.update(logits[part], classes[part])
    shares = [[math.exp(value) / sum(math.exp(v) for v in row) for value in row] for row in logits.tolist()]
    samples = [(max(row), row.index(max(row)) == true) for row, true in zip(shares, classes.tolist(), strict=True)]
    assert metric.compute().item() == pytest.approx(looped(samples, 15), abs=1e-6)


def test_logits_of_16_bits_have_probabilities_of_32() -> None:
    logits, classes = torch.randn(50, 4, generator=torch.Generator().manual_seed(0)).bfloat16(), torch.arange(50) % 4
    short, same = CalibrationError(), CalibrationError()
    short.update(logits, classes)
    same.update(logits.float(), classes)
    assert short.compute() == same.compute()


def test_merging_two_metrics_gives_that_of_all_samples() -> None:
    logits, classes = torch.randn(30, 3, generator=torch.Generator().manual_seed(1)), torch.arange(30) % 3
    whole, first, second = CalibrationError(), CalibrationError(), CalibrationError()
    whole.update(logits, classes)
    first.update(logits[:7], classes[:7])
    second.update(logits[7:], classes[7:])
    first.merge_state(second)
    assert first.compute().item() == pytest.approx(whole.compute().item(), abs=1e-12)


def test_updating_reads_nothing_back() -> None:
    """On the meta device there are no values, so that whatever waited for one would fail."""
    metric = CalibrationError()
    metric.update(torch.randn(5, 3, device="meta"), torch.zeros(5, dtype=torch.long, device="meta"))
    assert [part.shape for part in metric.confidence] == [(5,)]
