"""Leading activations back to pixels: the gradient where nothing rectifies, else the gradient by another rule."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from atelier.callbacks.layers import trace
from atelier.callbacks.projection import chain_to, field, project
from atelier.errors import InputError

LINEAR: dict[str, Callable[[], list[nn.Module]]] = {
    "same": lambda: [nn.Conv2d(2, 4, 3, padding=1), nn.Conv2d(4, 3, 5, padding=2)],
    "valid": lambda: [nn.Conv2d(2, 4, 3), nn.Conv2d(4, 3, (3, 1), bias=False)],
    "stride": lambda: [nn.Conv2d(2, 4, 3, stride=2), nn.Conv2d(4, 3, 2, stride=(2, 1), padding=(1, 0))],
    "dilation and groups": lambda: [nn.Conv2d(2, 4, 3, dilation=2, groups=2), nn.Conv2d(4, 3, 1)],
    "batch norm": lambda: [nn.Conv2d(2, 4, 3), nn.BatchNorm2d(4), nn.Conv2d(4, 3, 3), nn.BatchNorm2d(3, affine=False)],
    "pool": lambda: [nn.Conv2d(2, 4, 3), nn.MaxPool2d(2), nn.Conv2d(4, 3, 3)],
    "padded pool": lambda: [nn.Conv2d(2, 4, 2), nn.MaxPool2d(2, ceil_mode=True), nn.MaxPool2d(3, 1, padding=1)],
    "overlapping pool": lambda: [nn.Conv2d(2, 4, 3), nn.MaxPool2d(3, stride=2), nn.Conv2d(4, 3, 1)],
    "unchanged": lambda: [nn.Conv2d(2, 4, 3), nn.Dropout(0.5), nn.Identity(), nn.Conv2d(4, 3, 1)],
}


def network(layers: Callable[[], list[nn.Module]]) -> nn.Sequential:
    """The layers with equal weights each time, in 64 bits and in evaluation mode; batch norms have seen something."""
    torch.manual_seed(0)
    made = nn.Sequential(*layers()).double()
    for layer in made:
        if isinstance(layer, nn.BatchNorm2d):
            nn.init.uniform_(layer.running_mean)
            nn.init.uniform_(layer.running_var, 0.5, 2)
            if layer.affine:
                nn.init.normal_(layer.weight)
                nn.init.normal_(layer.bias)
    return made.eval()


def images() -> Tensor:
    return torch.randn(3, 2, 13, 12, dtype=torch.float64, generator=torch.Generator().manual_seed(1))


def projected(made: nn.Sequential, signal: Callable[[Tensor], Tensor] = torch.ones_like) -> tuple[Tensor, Tensor]:
    """What the last layer's signal becomes in the place of the images, and the signal."""
    given = images()
    chain = chain_to(trace(made, given), given, made[-1])
    sent = signal(chain[-1].output)
    return project(chain, sent), sent


def gradient(made: nn.Module, signal: Tensor) -> Tensor:
    given = images().requires_grad_()
    (found,) = torch.autograd.grad(made(given), given, signal)
    return found


def some_signal(output: Tensor) -> Tensor:
    return torch.randn(output.shape, dtype=output.dtype, generator=torch.Generator().manual_seed(2))


# ---------------------------------------------------------------------- numbers


@pytest.mark.parametrize("name", LINEAR)
def test_where_nothing_rectifies_it_is_the_gradient(name: str) -> None:
    made = network(LINEAR[name])
    found, signal = projected(made, some_signal)
    assert found.shape == images().shape
    torch.testing.assert_close(found, gradient(made, signal))


class Rectified(torch.autograd.Function):
    """A rectifier whose gradient is the rectified one, wherever its own input was negative."""

    @staticmethod
    def forward(context: Any, values: Tensor) -> Tensor:
        return values.clamp(min=0)

    @staticmethod
    def backward(context: Any, gradient: Tensor) -> Tensor:
        return gradient.clamp(min=0)


class DeconvolutionalReLU(nn.Module):
    def forward(self, values: Tensor) -> Tensor:
        return Rectified.apply(values)


def test_rectifiers_rectify_on_the_way_back() -> None:
    """Autograd with the rule of Zeiler and Fergus in the place of the rectifier's own gradient."""

    def layers(rectifier: type[nn.Module]) -> list[nn.Module]:
        first = [nn.Conv2d(2, 4, 3), nn.BatchNorm2d(4), rectifier(), nn.MaxPool2d(2)]
        return [*first, nn.Conv2d(4, 6, 3, padding=1), rectifier(), nn.Conv2d(6, 2, 1), rectifier()]

    found, signal = projected(network(lambda: layers(nn.ReLU)), some_signal)
    torch.testing.assert_close(found, gradient(network(lambda: layers(DeconvolutionalReLU)), signal))


@pytest.mark.parametrize("kind", [nn.LeakyReLU, nn.ELU, nn.GELU, nn.SiLU])
def test_its_kin_rectify_as_it_does(kind: type[nn.Module]) -> None:
    made = network(lambda: [nn.Conv2d(2, 4, 1), kind()])
    found, signal = projected(made, some_signal)
    torch.testing.assert_close(found, gradient(made[0], signal.clamp(min=0)))


@pytest.mark.parametrize("kind", [nn.Tanh, nn.Sigmoid])
def test_other_activations_let_the_signal_through(kind: type[nn.Module]) -> None:
    made = network(lambda: [nn.Conv2d(2, 4, 1), kind()])
    found, signal = projected(made, some_signal)
    torch.testing.assert_close(found, gradient(made[0], signal))


def test_a_pool_puts_a_value_where_its_maximum_was() -> None:
    given = torch.tensor([[5.0, 1.0, 0.0, 0.0], [2.0, 3.0, 0.0, 7.0]]).view(1, 1, 2, 4)
    made = nn.Sequential(nn.MaxPool2d(2))
    chain = chain_to(trace(made, given), given, made[0])
    found = project(chain, torch.tensor([10.0, 20.0]).view(1, 1, 1, 2))
    assert found[0, 0].tolist() == [[10, 0, 0, 0], [0, 0, 0, 20]]


# ---------------------------------------------------------------------- the part that is seen


@pytest.mark.parametrize("place", [(0, 0), (1, 2), (-1, -1)])
@pytest.mark.parametrize("name", ["same", "valid", "stride", "dilation and groups", "batch norm"])
def test_the_field_is_where_the_gradient_can_be(name: str, place: tuple[int, int]) -> None:
    """With positive weights no gradient cancels."""
    made = network(LINEAR[name])
    for parameter in made.parameters():
        parameter.data.uniform_(0.5, 1)
    given = images()
    chain = chain_to(trace(made, given), given, made[-1])
    height, width = chain[-1].output.shape[2:]
    y, x = place[0] % height, place[1] % width
    signal = torch.zeros_like(chain[-1].output)
    signal[:, :, y, x] = 1
    seen = gradient(made, signal).abs().sum((0, 1)).nonzero()
    (top, left), (bottom, right) = seen.min(0).values.tolist(), (seen.max(0).values + 1).tolist()
    assert field(chain, y, x) == (top, left, bottom, right)


def test_the_field_of_a_pool_is_its_window() -> None:
    given = images()
    made = nn.Sequential(nn.MaxPool2d(3, stride=2, padding=1), nn.MaxPool2d(2)).double()
    chain = chain_to(trace(made, given), given, made[-1])
    # Rows 2 and 3 of the first pool begin at 2·2 − 1 and 3·2 − 1; the windows are three high.
    assert field(chain, 1, 0) == (3, 0, 8, 4)


# ---------------------------------------------------------------------- what cannot be led back


class Sum(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Conv2d(2, 2, 1), nn.Conv2d(2, 2, 1)

    def forward(self, given: Tensor) -> Tensor:
        return self.second(given + self.first(given))


def test_a_network_that_is_no_chain_is_told() -> None:
    made, given = Sum().double(), images()
    with pytest.raises(InputError, match="the layers before second are no plain chain of layers"):
        chain_to(trace(made, given), given, made.second)


@pytest.mark.parametrize(
    ("layer", "name"), [(nn.AdaptiveAvgPool2d(2), "AdaptiveAvgPool2d"), (nn.Conv2d(2, 2, 3, padding="same"), "Conv2d")]
)
def test_a_layer_that_nothing_leads_back_through_is_told(layer: nn.Module, name: str) -> None:
    made, given = nn.Sequential(layer, nn.Conv2d(2, 1, 1)).double(), images()
    with pytest.raises(InputError, match=f"cannot go back through 0, which is a {name}"):
        chain_to(trace(made, given), given, made[1])
