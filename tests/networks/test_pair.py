"""Networks that compare two digits: what they share, what they read, what they decide from."""

import itertools
from collections.abc import Callable

import pytest
import torch
from omegaconf import DictConfig
from torch import Tensor, nn

from atelier.compose.targets import build
from atelier.errors import InputError
from atelier.networks.pair import MostProbable

Compose = Callable[..., DictConfig]
NETWORKS = ("pair_fnn", "pair_cnn")
BOTH = pytest.mark.parametrize("name", NETWORKS)


@pytest.fixture
def network(compose: Compose) -> Callable[..., nn.Module]:
    def made(name: str, *overrides: str) -> nn.Module:
        torch.manual_seed(0)
        return build(compose(f"network={name}", "data=digit_pairs", *overrides).network)

    return made


Make = Callable[..., nn.Module]


@BOTH
@pytest.mark.parametrize("sharing", ["true", "false"])
def test_all_parameters_learn(network: Make, name: str, sharing: str) -> None:
    made = network(name, f"network.weight_sharing={sharing}")
    output = made(torch.randn(8, 2, 14, 14))
    assert output.shape == (8, 2 + 2 * 10)
    output.square().sum().backward()
    for key, parameter in made.named_parameters():
        assert parameter.grad is not None, key
        assert parameter.grad.isfinite().all(), key
        assert parameter.grad.any(), key


@BOTH
def test_a_network_takes_other_sizes_and_numbers_of_classes(network: Make, name: str) -> None:
    made = network(name, "data.shape=[2,8,12]", "data.num_classes=4")
    assert made(torch.randn(3, 2, 8, 12)).shape == (3, 2 + 2 * 4)


@BOTH
def test_shared_weights_read_both_digits_alike_and_others_do_not(network: Make, name: str) -> None:
    digit = torch.randn(4, 1, 14, 14)
    for sharing in ("true", "false"):
        made = network(name, f"network.weight_sharing={sharing}").eval()
        first, second = made(digit.expand(-1, 2, -1, -1))[:, 2:].chunk(2, dim=1)
        assert torch.allclose(first, second, atol=1e-5) == (sharing == "true")


@BOTH
def test_shared_weights_are_one_reader_less(network: Make, name: str) -> None:
    shared, own = (network(name, f"network.weight_sharing={sharing}") for sharing in ("true", "false"))
    readers = [sum(p.numel() for p in made.readers.parameters()) for made in (shared, own)]
    assert readers[1] == 2 * readers[0]
    assert count(own) - count(shared) == readers[0]


def count(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


@BOTH
def test_each_digit_is_read_from_its_own_picture(network: Make, name: str) -> None:
    made = network(name, "network.weight_sharing=false").eval()
    pairs = torch.randn(4, 2, 14, 14)
    before = made(pairs)
    pairs[:, 1] = torch.randn(4, 14, 14)
    after = made(pairs)
    assert torch.equal(before[:, 2:12], after[:, 2:12])
    assert not torch.allclose(before[:, 12:], after[:, 12:])


@BOTH
@pytest.mark.parametrize("comparison", ["network", "probabilities"])
def test_the_comparison_sees_the_digits_probabilities(network: Make, name: str, comparison: str) -> None:
    made = network(name, f"network.comparison={comparison}").eval()
    output = made(torch.randn(4, 2, 14, 14))
    probabilities = torch.cat([logits.softmax(1) for logits in output[:, 2:].chunk(2, dim=1)], 1)
    assert torch.allclose(made.comparison(probabilities), output[:, :2], atol=1e-5)


@BOTH
def test_batch_norm_precedes_every_activation(network: Make, name: str) -> None:
    layers = [layer for layer in network(name).modules() if not list(layer.children())]
    before = [type(a) for a, b in itertools.pairwise(layers) if isinstance(b, nn.ReLU)]
    assert len(before) == 3, "two hidden layers read a digit, one compares"
    assert set(before) <= {nn.BatchNorm1d, nn.BatchNorm2d}


@BOTH
def test_what_is_no_pair_is_refused(network: Make, name: str) -> None:
    with pytest.raises(InputError, match=r"data\.shape=\[1, 28, 28\]: a pair is \[2, height, width\]"):
        network(name, "data.shape=[1,28,28]")


@BOTH
def test_dropout_acts_in_training_only(network: Make, name: str) -> None:
    made = network(name, "network.dropout=0.5", "network.hidden=[16]")
    pairs = torch.randn(8, 2, 14, 14)
    made.eval()
    assert torch.equal(made(pairs), made(pairs))
    made.train()
    assert not torch.equal(made(pairs), made(pairs))


# ---------------------------------------------------------------------- without a network


def by_hand(first: Tensor, second: Tensor) -> list[float]:
    """P(first ≤ second), summed over all pairs of classes."""
    return [
        sum(float(p[a] * q[b]) for a in range(len(p)) for b in range(a, len(q)))
        for p, q in zip(first, second, strict=True)
    ]


def test_the_probability_that_the_first_is_at_most_the_second() -> None:
    torch.manual_seed(0)
    first, second = (3 * torch.randn(2, 20, 10)).softmax(2)
    logarithms = MostProbable()(torch.cat([first, second], 1))
    assert logarithms.exp()[:, 1].tolist() == pytest.approx(by_hand(first, second), abs=1e-5)
    assert logarithms.exp().sum(1).tolist() == pytest.approx([1.0] * 20, abs=1e-5)


def test_an_unlikely_comparison_has_its_digits() -> None:
    """Or another order of sums gives another logarithm, and an ONNX file is refused for it."""
    torch.manual_seed(0)
    probabilities = torch.cat([(8 * torch.randn(2000, 10)).softmax(1) for _ in range(2)], 1)
    exact, found = (MostProbable()(probabilities.to(dtype)) for dtype in (torch.float64, torch.float32))
    assert ((exact < -9) & (exact > -13)).any(0).all(), "both answers are unlikely for some pairs"
    torch.testing.assert_close(found.double(), exact, atol=2e-6, rtol=0)


def test_certain_probabilities_have_finite_losses_and_gradients() -> None:
    logits = torch.tensor([[1000.0, 0.0, 0.0], [0.0, 0.0, 1000.0]], requires_grad=True)
    logarithms = MostProbable()(logits.softmax(1).view(1, 6))
    nn.functional.cross_entropy(logarithms, torch.tensor([0])).backward()
    assert logarithms.isfinite().all()
    assert logits.grad is not None
    assert logits.grad.isfinite().all()
