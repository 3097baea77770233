"""Losses and their gradients against torch's and autograd's in 64 bits, and by hand."""

import math

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st

from atelier.scratch.losses import MSE, CrossEntropy, Loss, one_hot

LOSSES = {"mse": (MSE, F.mse_loss), "cross_entropy": (CrossEntropy, F.cross_entropy)}


@pytest.mark.parametrize("name", LOSSES)
def test_value_and_gradient_are_torchs(name: str) -> None:
    kind, reference = LOSSES[name]

    @given(st.integers(1, 6), st.integers(1, 6), st.integers(0, 10_000), st.sampled_from([0.1, 1.0, 5.0]))
    def check(samples: int, width: int, seed: int, scale: float) -> None:
        torch.manual_seed(seed)
        prediction = (torch.randn(samples, width).double() * scale).requires_grad_()
        target = torch.rand(samples, width).double()
        target /= target.sum(1, keepdim=True)
        loss: Loss = kind()
        expected = reference(prediction, target)
        torch.testing.assert_close(loss(prediction.detach(), target), expected.detach(), rtol=1e-12, atol=1e-15)
        (gradient,) = torch.autograd.grad(expected, prediction)
        assert (loss.backward() - gradient).norm() <= 1e-8 * gradient.norm() + 1e-15  # of one class: zero

    check()


def test_cross_entropy_of_classes_is_torchs() -> None:
    torch.manual_seed(0)
    logits, classes = torch.randn(8, 5).double(), torch.randint(5, (8,))
    torch.testing.assert_close(
        CrossEntropy()(logits, one_hot(classes, 5).double()), F.cross_entropy(logits, classes), rtol=1e-12, atol=0
    )


def test_mse_by_hand() -> None:
    loss = MSE()
    value = loss(torch.tensor([[1.0, 2.0], [3.0, 4.0]]), torch.tensor([[0.0, 2.0], [3.0, 1.0]]))
    assert value.item() == (1 + 9) / 4
    assert loss.backward().tolist() == [[0.5, 0.0], [0.0, 1.5]]


def test_cross_entropy_by_hand() -> None:
    loss = CrossEntropy()
    value = loss(torch.tensor([[math.log(3.0), 0.0]]), torch.tensor([[0.0, 1.0]]))  # probabilities 3/4 and 1/4
    assert value.item() == pytest.approx(math.log(4))
    assert loss.backward().tolist()[0] == pytest.approx([0.75, -0.75])


@pytest.mark.parametrize("size", [2.0**10, 2.0**100])
def test_cross_entropy_of_huge_logits_is_exact(size: float) -> None:
    """Where exp(z) overflows, the loss is the distance to the largest logit."""
    loss = CrossEntropy()
    assert loss(torch.tensor([[size, 0.0], [size, 0.0]]), one_hot(torch.tensor([0, 1]), 2)).item() == size / 2
    assert loss.backward().tolist() == [[0.0, 0.0], [0.5, -0.5]]


@pytest.mark.parametrize(
    "row",
    [
        [1e6, 0.0, 3.0],
        [1e6, 1e6 - 1, 1e6 - 2],
        [-1e6, -1e6 - 1, 1.0],
        [1e30, -1e30, 0.0],
        [-torch.inf, 0.0, 1.0],
        [0.0, -torch.inf, -torch.inf],
    ],
)
@pytest.mark.parametrize("true", [0, 1, 2])
def test_cross_entropy_of_extreme_logits_is_torchs(row: list[float], true: int) -> None:
    ordinary = [0.5, -1.0, 2.0]  # beside it in the batch, with a maximum of its own
    logits, classes = torch.tensor([row, ordinary], requires_grad=True), torch.tensor([true, 1])
    expected = F.cross_entropy(logits, classes)
    loss = CrossEntropy()
    assert not expected.isnan()
    torch.testing.assert_close(loss(logits.detach(), one_hot(classes, 3)), expected.detach(), rtol=1e-6, atol=0)
    torch.testing.assert_close(loss.backward(), torch.autograd.grad(expected, logits)[0], rtol=1e-6, atol=1e-7)


def test_the_cross_entropys_gradient_pulls_each_row_to_its_target() -> None:
    torch.manual_seed(0)
    loss = CrossEntropy()
    loss(torch.randn(5, 3), one_hot(torch.tensor([0, 1, 2, 1, 0]), 3))
    gradient = loss.backward()
    torch.testing.assert_close(gradient.sum(1), torch.zeros(5), atol=1e-7, rtol=0)  # both sum to one
    assert (gradient.argmin(1) == torch.tensor([0, 1, 2, 1, 0])).all()


@pytest.mark.parametrize("kind", [MSE, CrossEntropy])
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float64])
def test_the_gradient_has_the_type_of_the_prediction(kind: type[Loss], dtype: torch.dtype) -> None:
    """Targets of `one_hot` have 32 bits, and so has the loss of 16-bit predictions."""
    loss, target = kind(), one_hot(torch.tensor([1, 0]), 3)
    value = loss(torch.ones(2, 3, dtype=dtype), target)
    assert (value.dtype, loss.backward().dtype) == (torch.promote_types(dtype, torch.float32), dtype)


def test_one_hot_is_torchs() -> None:
    classes = torch.tensor([2, 0, 1, 2])
    assert torch.equal(one_hot(classes, 4), F.one_hot(classes, 4).float())
