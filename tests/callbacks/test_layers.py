"""Finding convolutions, and the layers whose outputs are their activations."""

from contextlib import nullcontext
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torchvision import models

from atelier.callbacks.activation_statistics import ActivationStatistics
from atelier.callbacks.deconvolution import Deconvolution
from atelier.callbacks.layers import Site, convolutions, listening, pick, sites, trace
from atelier.callbacks.projection import chain_to
from atelier.data.loader import TensorSet
from atelier.errors import InputError


class Residual(nn.Module):
    """A convolution beside its input, and an activation over their sum."""

    def __init__(self) -> None:
        super().__init__()
        self.convolution, self.norm, self.activation = nn.Conv2d(1, 1, 3, padding=1), nn.BatchNorm2d(1), nn.ReLU()

    def forward(self, images: Tensor) -> Tensor:
        return self.activation(images + self.norm(self.convolution(images)))


NETWORK = nn.Sequential(
    nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.Tanh(), nn.MaxPool2d(2)),
    nn.Conv2d(2, 1, 1),  # read itself: what follows is a convolution
    nn.Conv2d(1, 1, 1),
    nn.MaxPool2d(1),  # a pool is no activation
    Residual(),
    nn.Flatten(),
    nn.LazyLinear(3),
).eval()
IMAGES = torch.rand(4, 1, 8, 8, generator=torch.Generator().manual_seed(0))


def test_a_trace_tells_every_layer_in_order_with_what_went_in_and_out() -> None:
    calls = trace(NETWORK, IMAGES)
    assert [call.name for call in calls] == [
        *("0.0", "0.1", "0.2", "0.3", "1", "2", "3"),
        *("4.convolution", "4.norm", "4.activation", "5", "6"),
    ]
    assert calls[0].input is IMAGES
    assert calls[1].input is calls[0].output
    assert torch.equal(calls[-1].output, NETWORK(IMAGES))


def test_a_trace_leaves_nothing_behind() -> None:
    trace(NETWORK, IMAGES)
    assert not any(layer._forward_hooks for layer in NETWORK.modules())


def test_activations_are_read_behind_the_activation_function_or_the_convolution() -> None:
    found = {site.name: type(site.layer).__name__ for site in sites(trace(NETWORK, IMAGES))}
    assert found == {"0.0": "Tanh", "1": "Conv2d", "2": "Conv2d", "4.convolution": "ReLU"}


def test_listening_hears_each_layer_and_then_no_more() -> None:
    heard: list[tuple[int, tuple[int, ...]]] = []
    places = [Site(str(layer), NETWORK[1], layer) for layer in (NETWORK[1], NETWORK[0][2])]
    with listening(places, lambda index, output: heard.append((index, tuple(output.shape)))):
        NETWORK(IMAGES)
    NETWORK(IMAGES)
    assert heard == [(1, (4, 2, 6, 6)), (0, (4, 1, 3, 3))]


class OneActivation(nn.Module):
    """Two convolutions with one ReLU, as many people write it."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second, self.relu = nn.Conv2d(1, 2, 3), nn.Conv2d(2, 3, 3), nn.ReLU()

    def forward(self, images: Tensor) -> Tensor:
        return self.relu(self.second(self.relu(self.first(images)))).mean((2, 3))


def test_an_activation_function_that_is_used_twice_is_read_once_for_each_convolution() -> None:
    network, heard = OneActivation(), dict[int, Tensor]()
    first = network.first(IMAGES).relu()
    found = sites(trace(network, IMAGES))
    with listening(found, heard.__setitem__):
        network(IMAGES)
    assert [(site.name, site.layer, site.number) for site in found] == [
        ("first", network.relu, 0),
        ("second", network.relu, 1),
    ]
    assert torch.equal(heard[0], first)
    assert torch.equal(heard[1], network.second(first).relu())


def test_the_layers_before_a_repeated_activation_function_are_all_of_them() -> None:
    network = OneActivation()
    (_, last), calls = sites(trace(network, IMAGES)), trace(network, IMAGES)
    chain = chain_to(calls, IMAGES, last.layer, last.number)
    assert [call.name for call in chain] == ["first", "relu", "second", "relu"]


def test_each_place_in_torchvisions_residual_blocks_has_the_channels_of_its_convolution() -> None:
    """Their three convolutions have one ReLU."""
    network = models.resnet50(num_classes=2).eval()
    found = sites(trace(network, torch.rand(1, 3, 32, 32)))
    channels: list[tuple[int, int]] = []
    with listening(found, lambda index, output: channels.append((index, output.shape[1]))):
        network(torch.rand(1, 3, 32, 32))
    assert sorted(channels) == [(index, site.convolution.out_channels) for index, site in enumerate(found)]


@pytest.mark.parametrize("name", ["densenet121", "densenet201"])
def test_an_activation_of_joined_features_is_not_the_convolutions(name: str) -> None:
    """A dense block's next normalisation and activation are over all features so far."""
    network = models.get_model(name, weights=None, num_classes=10).eval()
    found = sites(trace(network, torch.rand(1, 3, 64, 64)))
    heard: dict[str, int] = {}
    with listening(found, lambda index, output: heard.__setitem__(found[index].name, output.shape[1])):
        network(torch.rand(1, 3, 64, 64))
    assert heard == {site.name: site.convolution.out_channels for site in found}


@pytest.mark.parametrize(
    "callback", [ActivationStatistics(), Deconvolution(0, 1, 1)], ids=lambda one: type(one).__name__
)
def test_a_task_with_several_networks_is_told_before_the_training(callback: Any) -> None:
    task = SimpleNamespace(
        network=nn.ModuleDict({"generator": nn.Conv2d(1, 1, 1), "discriminator": nn.Conv2d(1, 1, 1)}),
        **{"device": "cpu", "evaluating": nullcontext},
    )
    with pytest.raises(InputError, match=r"only for tasks with one network; \w+ has generator and discriminator"):
        callback.setup(without_test_set(), task, "fit")


def test_a_data_set_without_test_images_can_be_trained_on() -> None:
    network = nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU())
    task = SimpleNamespace(network=network, dtype=torch.float32, device="cpu", evaluating=nullcontext)
    Deconvolution(layer=0, channels=2, count=1).setup(without_test_set(), task, "fit")
    with pytest.raises(InputError, match="0 has 2 channels"):
        Deconvolution(layer=0, channels=3, count=1).setup(without_test_set(), task, "fit")


def without_test_set() -> Any:
    """A trainer whose data are training images only."""
    rows = torch.arange(len(IMAGES))
    sets = {"train": TensorSet(IMAGES, rows, rows), "test": TensorSet(IMAGES, rows, rows[:0])}
    return SimpleNamespace(datamodule=SimpleNamespace(sets=sets, test_split="test", normalise=lambda images: images))


def test_convolutions_come_in_the_order_of_the_network() -> None:
    assert [name for name, _ in convolutions(NETWORK, "filters")] == ["0.0", "1", "2", "4.convolution"]


def test_a_network_without_convolutions_is_told() -> None:
    with pytest.raises(InputError, match=r"callbacks\.filters: the network Linear has no convolutions"):
        convolutions(nn.Linear(2, 2), "filters")


@pytest.mark.parametrize("index", [3, -4])
def test_a_layer_that_is_not_there_is_told(index: int) -> None:
    with pytest.raises(InputError, match=rf"callbacks.x.layer={index}: the network has 3 convolutions; give 0 to 2"):
        pick("abc", index, "callbacks.x.layer")


def test_layers_count_from_the_front_and_from_the_end() -> None:
    assert [pick("abc", index, "key") for index in (0, 2, -1, -3)] == ["a", "c", "c", "a"]
