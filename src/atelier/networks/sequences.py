"""The base class of networks of sequences: turns symbols, vectors or the rows of an image into vectors."""

from collections.abc import Sequence
from typing import Literal

import torch.nn.functional as F
from torch import Tensor, nn

from atelier.errors import InputError

Symbols = Literal["one_hot", "scalar", "embedding"]


class SequenceNetwork(nn.Module):
    """Sequences are symbols (N, T) int64, vectors (N, T, features), or images (N, C, H, W), which are read row by row.

    A subclass has a linear layer `output`.

    Args:
        in_shape: (T,), (T, features) or (C, H, W).
        num_symbols: number of different symbols, for sequences of symbols.
        symbols: encoding of a symbol: one_hot, scalar (a number, −1 to 1), or embedding (learned, of size `hidden`).
        hidden: size of an embedding.

    Raises:
        InputError: if symbols lack `num_symbols`.
    """

    output: nn.Linear

    def __init__(self, in_shape: Sequence[int], num_symbols: int | None, symbols: Symbols, hidden: int) -> None:
        super().__init__()
        if len(in_shape) == 1 and num_symbols is None:
            raise InputError(f"data.shape={list(in_shape)}: a sequence of symbols needs data.num_symbols")
        self.kind, self.num_symbols = symbols, num_symbols
        if len(in_shape) == 1:
            assert num_symbols is not None
            self.features = {"one_hot": num_symbols, "scalar": 1, "embedding": hidden}[symbols]
        else:
            self.features = in_shape[1] if len(in_shape) == 2 else in_shape[0] * in_shape[2]
        embedded = len(in_shape) == 1 and symbols == "embedding"
        self.embedding = nn.Embedding(num_symbols or 0, hidden) if embedded else None

    def vectors(self, inputs: Tensor) -> Tensor:
        """The inputs as (N, T, features)."""
        if inputs.dim() == 4:
            return inputs.transpose(1, 2).flatten(2)
        if inputs.dim() == 3:
            return inputs
        if self.embedding is not None:
            return self.embedding(inputs)
        assert self.num_symbols is not None
        if self.kind == "scalar":
            return (2 * inputs[:, :, None].to(self.output.weight.dtype) / max(1, self.num_symbols - 1)) - 1
        return F.one_hot(inputs, self.num_symbols).to(self.output.weight.dtype)
