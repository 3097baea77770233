"""A running mean over samples, whatever the batches."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from atelier.metrics.mean import Mean

BATCHES = st.lists(st.lists(st.floats(-100, 100), min_size=1, max_size=8), min_size=1, max_size=6)


def filled(batches: list[list[float]]) -> Mean:
    mean = Mean()
    for batch in batches:
        mean.update(torch.tensor(batch).mean(), len(batch))
    return mean


@given(BATCHES)
def test_the_mean_is_over_samples_not_over_batches(batches: list[list[float]]) -> None:
    samples = [sample for batch in batches for sample in batch]
    assert filled(batches).compute().item() == pytest.approx(sum(samples) / len(samples), abs=1e-3)


@given(BATCHES, BATCHES)
def test_merging_two_means_gives_that_of_all_samples(first: list[list[float]], second: list[list[float]]) -> None:
    merged, second_half = filled(first), filled(second)
    merged.merge_state(second_half)
    assert merged.compute().item() == pytest.approx(filled(first + second).compute().item(), abs=1e-3)


def test_a_mean_keeps_no_graph() -> None:
    mean = Mean()
    mean.update(torch.ones((), requires_grad=True) * 2, 3)
    assert not mean.compute().requires_grad


def test_a_reset_mean_has_forgotten() -> None:
    mean = filled([[100.0, 200.0]])
    mean.compute()
    mean.reset()
    mean.update(torch.tensor(4.0), 2)
    assert mean.compute() == 4
