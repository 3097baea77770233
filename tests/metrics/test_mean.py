"""A running mean over samples, whatever the batches."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from atelier.metrics import sums
from atelier.metrics.mean import Mean, Share

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


@given(st.lists(st.booleans(), min_size=1, max_size=300), st.integers(1, 50))
def test_a_share_is_a_whole_number_of_samples_whatever_the_batches(samples: list[bool], size: int) -> None:
    """Equal accuracies are equal numbers, of which the first is the best; a mean of shares in 32 bits is close only."""
    share = Share()
    for batch in torch.tensor(samples).split(size):
        share.update(batch)
    assert share.compute().item() == sum(samples) / len(samples)


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


def test_sums_go_on_growing_where_32_bits_stop() -> None:
    """2^24 samples of 1, then as many again one by one would be: in 32 bits a 1 added to 2^24 is lost."""
    mean = Mean()
    mean.update(torch.tensor(1.0), 2**24)
    for _ in range(200):
        mean.update(torch.tensor(3.0), 1)
    assert mean.count == 2**24 + 200
    assert mean.compute().item() == pytest.approx((2**24 + 600) / (2**24 + 200), rel=1e-14)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float32])
def test_sums_stay_in_64_bits_whatever_the_precision_of_the_weights(dtype: torch.dtype) -> None:
    """What Lightning does to a task for trainer.precision=bf16-true."""
    mean = Mean().to(dtype)
    mean.update(torch.tensor(1.0, dtype=dtype), 1000)
    mean.reset()
    for _ in range(300):
        mean.update(torch.tensor(1.0, dtype=dtype), 1)
    assert (mean.total.dtype, mean.total.item(), mean.count.item()) == (torch.float64, 300, 300)


def test_a_device_without_64_bits_sums_in_32_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """The meta device stands for an Apple GPU."""
    kinds = {"meta": torch.float32, "cpu": torch.float64}
    monkeypatch.setattr(sums, "precise", lambda device: kinds[device.type])
    with pytest.warns(UserWarning, match="meta has no 64 bits: means are summed in 32 bits there"):
        mean = Mean().to("meta")
    mean.update(torch.ones((), device="meta"), 1)
    mean.reset()
    assert (mean.total.dtype, mean.count.dtype) == (torch.float32, torch.int64)
