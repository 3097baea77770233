"""What a checkpoint needs of a network: stable names, saving and loading, devices, and going on as if never stopped."""

from pathlib import Path

import pytest
import torch

from atelier.errors import InputError
from atelier.scratch.batch_norm import BatchNorm
from atelier.scratch.dropout import Dropout
from atelier.scratch.linear import Linear
from atelier.scratch.losses import CrossEntropy, one_hot
from atelier.scratch.mlp import MLP
from atelier.scratch.module import Module
from atelier.scratch.optimizers import Adam, Optimizer
from atelier.scratch.sequential import Sequential


def make() -> MLP:
    return MLP([4], 3, [6], dropout=0.3, batch_norm=True)


def train(network: Module, optimizer: Optimizer, batches: torch.Tensor) -> None:
    loss = CrossEntropy()
    for batch in batches:
        loss.forward(network.forward(batch), one_hot(torch.arange(len(batch)) % 3, 3))
        network.backward(loss.backward())
        optimizer.step()


def test_names_say_where_a_tensor_is() -> None:
    assert list(make().state()) == [
        *("1.weight", "1.bias"),
        *("2.weight", "2.bias", "2.running_mean", "2.running_var"),
        *("5.weight", "5.bias"),
    ]
    assert list(make().parameters()) == ["1.weight", "1.bias", "2.weight", "2.bias", "5.weight", "5.bias"]
    assert list(Sequential(Sequential(Linear(1, 1))).parameters()) == ["0.0.weight", "0.0.bias"]


def test_a_network_goes_on_from_a_file_as_if_it_had_not_stopped(tmp_path: Path) -> None:
    torch.manual_seed(0)
    batches = torch.randn(6, 9, 4)
    network = make()
    optimizer = Adam(network.parameters(), 0.01)
    train(network, optimizer, batches[:3])
    saved = {"network": network.state(), "optimizer": optimizer.state(), "random": torch.get_rng_state()}
    torch.save(saved, tmp_path / "saved.pt")
    train(network, optimizer, batches[3:])

    found = torch.load(tmp_path / "saved.pt", weights_only=True)
    other = make()
    other_optimizer = Adam(other.parameters(), 0.01)
    other.load_state(found["network"])
    other_optimizer.load_state(found["optimizer"])
    torch.set_rng_state(found["random"])
    train(other, other_optimizer, batches[3:])
    assert all(torch.equal(tensor, other.state()[name]) for name, tensor in network.state().items())
    assert all(torch.equal(tensor, other_optimizer.state()[name]) for name, tensor in optimizer.state().items())


def test_another_networks_state_is_refused_and_changes_nothing() -> None:
    network = Sequential(Linear(2, 3), Linear(3, 1))
    before = {name: tensor.clone() for name, tensor in network.state().items()}
    with pytest.raises(InputError, match=r"1\.bias is \(2,\) in it, \(1,\) here"):
        network.load_state(Sequential(Linear(2, 3), Linear(3, 2)).state())
    with pytest.raises(InputError, match=r"1\.bias is nothing in it, \(1,\) here"):
        network.load_state(Sequential(Linear(2, 3)).state())
    assert all(torch.equal(tensor, before[name]) for name, tensor in network.state().items())


def test_modes_reach_every_layer() -> None:
    inner = Dropout(0.5)
    network = Sequential(Sequential(inner), BatchNorm(2))
    assert [network.eval().training, inner.training, network.layers[1].training] == [False] * 3
    assert [network.train().training, inner.training, network.layers[1].training] == [True] * 3


def test_a_move_takes_values_gradients_and_running_statistics_along() -> None:
    network = make().to("meta")  # a device of torch's that every machine has
    assert {tensor.device.type for tensor in network.state().values()} == {"meta"}
    assert {parameter.grad.device.type for parameter in network.parameters().values()} == {"meta"}
    assert {tensor.dtype for tensor in make().to(torch.float64).state().values()} == {torch.float64}
