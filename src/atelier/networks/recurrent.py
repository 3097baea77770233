"""Recurrent networks: torch's RNN, LSTM or GRU, and a linear layer on the outputs.

Elman, 1990 (RNN); Hochreiter and Schmidhuber, 1997, with the forget gate of Gers et al., 2000 (LSTM); Cho et al., 2014
(GRU).
"""

import math
from collections.abc import Callable, Sequence
from typing import Annotated, Literal

import torch
from annotated_types import Gt
from torch import Tensor, nn

from atelier.errors import InputError
from atelier.networks.sequences import SequenceNetwork, Symbols
from atelier.networks.sizes import Dropout, Size

# {cell: (torch's class, number of gates, index of the gate that keeps the state in torch's order)}: the LSTM's forget
# gate among input, forget, candidate and output; the GRU's update gate among reset, update and candidate.
CELLS: dict[str, tuple[Callable[..., nn.RNNBase], int, int | None]] = {
    "rnn": (nn.RNN, 1, None),
    "lstm": (nn.LSTM, 4, 1),
    "gru": (nn.GRU, 3, 1),
}
Steps = Annotated[float, Gt(1)]


class Recurrent(SequenceNetwork):
    """Sequences (see `SequenceNetwork`) of any length in, logits (N, num_classes) out.

    Args:
        cell: rnn (with tanh), lstm or gru.
        in_shape: (T,), (T, features) or (C, H, W).
        num_symbols: number of different symbols, for sequences of symbols.
        num_classes: size of the output.
        hidden: number of units of each layer.
        layers: number of stacked layers.
        symbols: encoding of a symbol: one_hot, scalar (a number, −1 to 1), or embedding (learned, of size `hidden`).
        readout: input of the linear layer: "last", the outputs of the last step, or "mean", their mean over all steps.
        dropout: share of the linear layer's inputs dropped in training.
        orthogonal: orthogonal recurrent weights for each gate, instead of the initializer's.
        memory: initial bias of the gate that keeps the state (LSTM: forget gate, GRU: update gate). None: the
            initializer's; a number: this bias; [a, b]: biases with which the units keep their state for a to b steps,
            spread evenly on a logarithmic scale, and the negative biases for the LSTM's input gate (after Tallec and
            Ollivier, 2018).
        initializer: initializes the whole network, before `orthogonal` and `memory`.

    Raises:
        InputError: if symbols lack `num_symbols`, or `memory` does not fit the cell.
    """

    def __init__(
        self,
        cell: Literal["rnn", "lstm", "gru"],
        in_shape: Sequence[int],
        num_symbols: Size | None,
        num_classes: Size,
        hidden: Size,
        layers: Size,
        symbols: Symbols,
        readout: Literal["last", "mean"],
        dropout: Dropout,
        orthogonal: bool,
        memory: float | tuple[Steps, Steps] | None,
        initializer: Callable[[nn.Module], None],
    ) -> None:
        super().__init__(in_shape, num_symbols, symbols, hidden)
        self.readout = readout
        self.recurrent = CELLS[cell][0](self.features, hidden, layers, batch_first=True)
        self.dropout = nn.Dropout(dropout)
        self.output = nn.Linear(hidden, num_classes)
        initializer(self)
        if orthogonal:
            self.make_orthogonal(CELLS[cell][1])
        if memory is not None:
            self.keep(cell, memory)

    def forward(self, inputs: Tensor) -> Tensor:
        outputs = self.recurrent(self.vectors(inputs))[0]  # (N, T, hidden)
        read = outputs[:, -1] if self.readout == "last" else outputs.mean(1)
        return self.output(self.dropout(read))

    @torch.no_grad()
    def make_orthogonal(self, gates: int) -> None:
        for name, parameter in self.recurrent.named_parameters():
            if name.startswith("weight_hh"):
                for weight in parameter.chunk(gates):
                    nn.init.orthogonal_(weight)

    @torch.no_grad()
    def keep(self, cell: str, memory: float | Sequence[float]) -> None:
        """Initialize the biases of the gate that keeps the state, as `memory` says."""
        gate = CELLS[cell][2]
        if gate is None:
            raise InputError(f"network.memory={memory}: an RNN has no gate that keeps its state; leave it null")
        hidden = self.recurrent.hidden_size
        if isinstance(memory, Sequence):
            if memory[0] > memory[1]:
                raise InputError(f"network.memory={list(memory)}: give the smaller number of steps first")
            steps = torch.linspace(math.log(memory[0]), math.log(memory[1]), hidden).exp()
            bias = (steps - 1).log()  # sigmoid(bias) = 1 - 1/steps: the state decays over about so many steps
        else:
            bias = torch.full((hidden,), float(memory))
        for layer in range(self.recurrent.num_layers):
            inner, outer = (getattr(self.recurrent, f"bias_{side}_l{layer}").split(hidden) for side in ("ih", "hh"))
            inner[gate].copy_(bias)
            outer[gate].zero_()
            if cell == "lstm" and isinstance(memory, Sequence):
                inner[0].copy_(-bias)
                outer[0].zero_()
