"""Recurrent networks: their sizes, what they make of symbols, and how their memories begin."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn

from atelier.compose.targets import build
from atelier.errors import InputError
from atelier.networks.recurrent import Recurrent

Make = Callable[..., Recurrent]
CELLS = ["rnn", "lstm", "gru"]


@pytest.fixture
def make(compose: Callable[..., Any]) -> Make:
    """`make("lstm", "network.hidden=8")`: the network of conf/, for palindromes unless told otherwise."""

    def made(cell: str, *overrides: str, data: str = "palindromes") -> Recurrent:
        torch.manual_seed(0)
        return build(compose(f"data={data}", f"network={cell}", *overrides).network)

    return made


def count(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


@pytest.mark.parametrize(("inputs", "units"), [(10, 128), (1, 7), (28, 32)])
@pytest.mark.parametrize(("cell", "gates"), [("rnn", 1), ("lstm", 4), ("gru", 3)])
def test_a_layer_has_the_parameters_of_the_formula(make: Make, cell: str, gates: int, inputs: int, units: int) -> None:
    """4 (mn + n² + n) for an LSTM of m inputs and n units, with one bias a gate; torch has a second."""
    network = make(cell, f"data.shape=[5,{inputs}]", f"network.hidden={units}", data="mnist_rows")
    assert count(network.recurrent) == gates * (inputs * units + units**2 + units) + gates * units
    assert count(network.output) == 10 * units + 10


def test_further_layers_read_the_outputs_of_the_one_below(make: Make) -> None:
    network = make("lstm", "network.hidden=6", "network.layers=3")
    assert count(network.recurrent) == 4 * (10 * 6 + 36 + 12) + 2 * 4 * (36 + 36 + 12)


def test_an_lstm_computes_its_equations(make: Make) -> None:
    """Written out for one unit and two steps, gate by gate."""
    network = make("lstm", "network.hidden=1", "network.symbols=one_hot").double()
    w, u, b, c = (
        getattr(network.recurrent, name) for name in ("weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0")
    )
    hidden, state = torch.zeros(()).double(), torch.zeros(()).double()
    for digit in (3, 7):
        i, f, g, o = w[:, digit] + u[:, 0] * hidden + b + c
        state = f.sigmoid() * state + i.sigmoid() * g.tanh()
        hidden = o.sigmoid() * state.tanh()
    expected = network.output.weight[:, 0] * hidden + network.output.bias
    assert torch.allclose(network(torch.tensor([[3, 7]]))[0], expected)


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("symbols", ["one_hot", "scalar", "embedding"])
def test_a_network_reads_symbols_of_any_length(make: Make, cell: str, symbols: str) -> None:
    network = make(cell, f"network.symbols={symbols}", "network.hidden=8")
    for length in (1, 4, 30):
        output = network(torch.randint(10, (3, length)))
        assert output.shape == (3, 10)
        output.sum().backward()
    assert all(parameter.grad is not None for parameter in network.parameters())


def test_symbols_are_told_apart_as_said(make: Make) -> None:
    digits = torch.tensor([[0, 9]])
    assert make("rnn").vectors(digits).tolist() == [[[1.0] + 9 * [0.0], 9 * [0.0] + [1.0]]]
    assert make("rnn", "network.symbols=scalar").vectors(digits).tolist() == [[[-1.0], [1.0]]]
    embedded = make("rnn", "network.symbols=embedding", "network.hidden=4")
    assert embedded.embedding is not None
    assert torch.equal(embedded.vectors(digits)[0], embedded.embedding.weight[[0, 9]])


def test_a_picture_is_read_row_by_row(make: Make) -> None:
    network = make("gru", "data.shape=[3,6,5]", data="random_images")
    images = torch.randn(2, 3, 6, 5)
    rows = network.vectors(images)
    assert rows.shape == (2, 6, 15)
    assert torch.equal(rows[1, 4], images[1, :, 4, :].flatten())
    assert network(images).shape == (2, 10)


def test_the_readout_is_the_last_output_or_the_mean_of_all(make: Make) -> None:
    last, mean = (make("gru", f"network.readout={readout}", "network.hidden=8").eval() for readout in ("last", "mean"))
    digits = torch.randint(10, (4, 6))
    outputs = last.recurrent(last.vectors(digits))[0]
    assert torch.allclose(last(digits), last.output(outputs[:, 5]))
    assert torch.allclose(mean(digits), mean.output(sum(outputs[:, step] for step in range(6)) / 6), atol=1e-6)


@pytest.mark.parametrize("readout", ["last", "mean"])
def test_where_all_is_dropped_nothing_of_a_sequence_is_left(make: Make, readout: str) -> None:
    network, digits = make("gru", "network.dropout=1.0", f"network.readout={readout}"), torch.arange(18).view(2, 9) % 10
    assert torch.equal(*network.train()(digits))
    assert not torch.allclose(*network.eval()(digits))


@pytest.mark.parametrize("cell", CELLS)
def test_recurrent_weights_are_orthogonal_gate_by_gate(make: Make, cell: str) -> None:
    network = make(cell, "network.orthogonal=true", "network.layers=2", "network.hidden=16")
    for layer in range(2):
        weights = getattr(network.recurrent, f"weight_hh_l{layer}")
        for weight in weights.split(16):
            assert torch.allclose(weight @ weight.T, torch.eye(16), atol=1e-5)


@pytest.mark.parametrize("cell", ["lstm", "gru"])
def test_the_gate_that_keeps_the_state_begins_with_its_bias(make: Make, cell: str) -> None:
    network = make(cell, "network.memory=1.5", "network.hidden=4", "network.layers=2")
    for layer in range(2):
        inner, outer = (getattr(network.recurrent, f"bias_{side}_l{layer}").detach() for side in ("ih", "hh"))
        assert (inner + outer)[4:8].tolist() == [1.5] * 4
        assert not torch.equal(inner[:4] + outer[:4], torch.full((4,), -1.5)), "the others stay as they were"


@pytest.mark.parametrize("cell", ["lstm", "gru"])
def test_units_begin_by_keeping_their_state_for_so_many_steps(make: Make, cell: str) -> None:
    """Without inputs and outputs of its gates, a state of 1 is (1 - 1/steps)^n after n steps: 1/e after `steps`."""
    network = make(cell, "network.memory=[10,1000]", "network.hidden=3")
    recurrent = network.recurrent
    with torch.no_grad():
        recurrent.weight_ih_l0.zero_()
        recurrent.weight_hh_l0.zero_()
        for side in ("ih", "hh"):
            getattr(recurrent, f"bias_{side}_l0")[2 * 3 : 3 * 3].zero_()  # the candidate: nothing new comes in
        begin = torch.ones(1, 1, 3)
        for unit, steps in enumerate((10, 100, 1000)):
            inputs = torch.zeros(1, steps, 10)
            if cell == "lstm":
                kept = recurrent(inputs, (torch.zeros(1, 1, 3), begin))[1][1]
            else:
                kept = recurrent(inputs, begin)[1]
            assert kept[0, 0, unit] == pytest.approx((1 - 1 / steps) ** steps, rel=1e-3)


def test_an_lstm_with_long_memories_begins_by_taking_in_little(make: Make) -> None:
    recurrent = make("lstm", "network.memory=[2,100]", "network.hidden=5").recurrent
    bias = (recurrent.bias_ih_l0 + recurrent.bias_hh_l0).detach()
    assert torch.allclose(bias[:5], -bias[5:10])


@pytest.mark.parametrize(
    ("cell", "override", "told"),
    [
        ("rnn", "network.memory=1.0", "network.memory=1.0: an RNN has no gate that keeps its state; leave it null"),
        ("gru", "network.memory=[100,2]", "network.memory=[100, 2]: give the smaller number of steps first"),
        ("gru", "network.num_symbols=null", "data.shape=[9]: a sequence of symbols needs data.num_symbols"),
    ],
)
def test_a_wrong_option_is_told(make: Make, cell: str, override: str, told: str) -> None:
    with pytest.raises(InputError) as error:
        make(cell, override)
    assert str(error.value) == told
