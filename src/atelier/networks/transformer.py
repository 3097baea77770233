"""A transformer for sequences: attention over all steps, then a linear layer (Vaswani et al., arXiv:1706.03762)."""

from collections.abc import Callable, Sequence

from torch import Tensor, nn

from atelier.networks.attention import AttentionEncoder, Places, Readout
from atelier.networks.sequences import SequenceNetwork, Symbols
from atelier.networks.sizes import Dropout, Size


class Transformer(SequenceNetwork):
    """Sequences (see `SequenceNetwork`) of at most the length in `in_shape` in, logits (N, num_classes) out.

    Args:
        in_shape: (T,), (T, features) or (C, H, W).
        num_symbols: number of different symbols, for sequences of symbols.
        num_classes: size of the output.
        symbols: encoding of a symbol: one_hot, scalar or embedding, see `SequenceNetwork`.
        hidden, layers, heads, feedforward, readout, positions: see `AttentionEncoder`.
        dropout: share dropped in training, see `AttentionEncoder`.
        activation: makes the activation of a block's dense part.
        initializer: initializes all layers; the class token and learned positions begin with small normal numbers.

    Raises:
        InputError: if symbols lack `num_symbols`, or `heads` does not divide `hidden`.
    """

    def __init__(
        self,
        in_shape: Sequence[int],
        num_symbols: Size | None,
        num_classes: Size,
        symbols: Symbols,
        hidden: Size,
        layers: Size,
        heads: Size,
        feedforward: Size,
        readout: Readout,
        positions: Places,
        dropout: Dropout,
        activation: Callable[[], nn.Module],
        initializer: Callable[[nn.Module], None],
    ) -> None:
        super().__init__(in_shape, num_symbols, symbols, hidden)
        length = in_shape[1] if len(in_shape) == 3 else in_shape[0]
        self.input = nn.Linear(self.features, hidden)
        self.encoder = AttentionEncoder(
            length, hidden, layers, heads, feedforward, readout, positions, dropout, activation
        )
        self.output = nn.Linear(hidden, num_classes)
        initializer(self)
        self.encoder.draw_positions()

    def forward(self, inputs: Tensor) -> Tensor:
        return self.output(self.encoder(self.input(self.vectors(inputs))))
