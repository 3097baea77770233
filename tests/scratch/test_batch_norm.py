"""Batch norm: what its running statistics do over several batches, beside torch's, and what it makes of a batch."""

import pytest
import torch
from torch import nn

from atelier.errors import InputError
from atelier.scratch.batch_norm import BatchNorm


@pytest.mark.parametrize(
    ("shape", "kind"), [((8, 5), nn.BatchNorm1d), ((4, 5, 3, 2), nn.BatchNorm2d)], ids=["rows", "images"]
)
def test_running_statistics_follow_torchs_over_many_batches(shape: tuple[int, ...], kind: type[nn.Module]) -> None:
    torch.manual_seed(0)
    ours, theirs = BatchNorm(5, momentum=0.3).to(torch.float64), kind(5, momentum=0.3).double()
    for _ in range(20):
        inputs = 3 * torch.randn(shape).double() + 2
        torch.testing.assert_close(ours(inputs), theirs(inputs), rtol=1e-10, atol=1e-12)
    for name, tensor in ours.state().items():
        torch.testing.assert_close(tensor, theirs.state_dict()[name], rtol=1e-12, atol=0)
    assert ours.running_var.value.mean() == pytest.approx(9, rel=0.3)
    ours.eval(), theirs.eval()
    before = {name: tensor.clone() for name, tensor in ours.state().items()}
    torch.testing.assert_close(ours(inputs), theirs(inputs), rtol=1e-10, atol=1e-12)
    assert all(torch.equal(tensor, before[name]) for name, tensor in ours.state().items())


def test_one_step_of_the_running_statistics_by_hand() -> None:
    layer = BatchNorm(1, momentum=0.5)
    layer(torch.tensor([[2.0], [4.0], [6.0]]))  # mean 4, variance 8/3, unbiased 4
    assert layer.running_mean.value.item() == 2.0  # half way from 0
    assert layer.running_var.value.item() == pytest.approx(2.5)  # half way from 1


def test_outputs_of_a_training_batch_have_mean_zero_and_variance_one() -> None:
    torch.manual_seed(0)
    outputs = BatchNorm(3)(5 * torch.randn(100, 3, 4, 4) - 7)
    torch.testing.assert_close(outputs.mean((0, 2, 3)), torch.zeros(3), atol=1e-5, rtol=0)
    torch.testing.assert_close(outputs.var((0, 2, 3), correction=0), torch.ones(3), atol=1e-5, rtol=0)


def test_a_batch_of_one_has_no_variance() -> None:
    layer = BatchNorm(3)
    with pytest.raises(InputError, match="needs two samples or more"):
        layer(torch.ones(1, 3))
    assert layer(torch.ones(1, 3, 2, 2)).isfinite().all()  # four values of each feature
    assert layer.eval()(torch.ones(1, 3)).isfinite().all()
