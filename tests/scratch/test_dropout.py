"""Dropout: how many numbers it drops, what becomes of the others, and where its random numbers come from."""

import pytest
import torch

from atelier.scratch.dropout import Dropout


@pytest.mark.parametrize("p", [0.0, 0.2, 0.5, 0.9])
def test_a_share_p_is_dropped_and_the_mean_stays(p: float) -> None:
    torch.manual_seed(0)
    outputs = Dropout(p)(torch.full((1000, 100), 3.0))
    assert (outputs == 0).float().mean().item() == pytest.approx(p, abs=0.01)
    torch.testing.assert_close(outputs[outputs != 0].unique(), torch.tensor([3 / (1 - p)]))


def test_the_gradient_goes_where_the_numbers_went() -> None:
    torch.manual_seed(0)
    layer = Dropout(0.5)
    inputs = torch.ones(50)
    assert torch.equal(layer(inputs), layer.backward(inputs))


def test_evaluation_changes_nothing_and_draws_nothing() -> None:
    layer, inputs, before = Dropout(0.5).eval(), torch.randn(10), torch.get_rng_state()
    assert torch.equal(layer(inputs), inputs)
    assert torch.equal(layer.backward(inputs), inputs)
    assert torch.equal(torch.get_rng_state(), before)


def test_numbers_come_from_the_given_generator() -> None:
    before = torch.get_rng_state()
    first, second = (Dropout(0.5, torch.Generator().manual_seed(7))(torch.ones(100)) for _ in range(2))
    assert torch.equal(first, second)
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float64])
def test_numbers_keep_their_type(dtype: torch.dtype) -> None:
    """A linear layer behind takes no other type than that of its weights."""
    torch.manual_seed(0)
    layer, inputs = Dropout(0.2), torch.ones(50, dtype=dtype)
    outputs = layer(inputs)
    assert outputs.dtype == layer.backward(inputs).dtype == dtype
    assert outputs.unique().tolist() == [0, (torch.ones((), dtype=dtype) / 0.8).item()]
