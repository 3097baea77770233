"""The encoder of a transformer: blocks of attention over the vectors of a sequence, and their readout.

Vaswani et al., 2017 (arXiv:1706.03762), with layer norm before attention and before the dense part, as in Xiong et al.,
2020 (arXiv:2002.04745).
"""

import math
from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor, nn

from atelier.errors import InputError

Readout = Literal["token", "mean"]
Places = Literal["learned", "sinusoidal"]
SPREAD = 0.02  # standard deviation of learned positions and of the class token at first, as in BERT and ViT


class AttentionEncoder(nn.Module):
    """Vectors (N, T, hidden) in, their readout (N, hidden) out.

    Args:
        length: largest T.
        hidden: size of a vector.
        layers: number of blocks.
        heads: number of attention heads of a block, a divisor of `hidden`.
        feedforward: number of units of the dense part of a block.
        readout: "token": the output of a learned vector before the others, the class token; or "mean": the mean of all
            outputs.
        positions: what is added to a vector for its position: "learned" or "sinusoidal".
        dropout: share of the attention's weights, of each part's outputs and of the encoder's inputs dropped in
            training.
        activation: makes the activation of a dense part.

    Raises:
        InputError: if `heads` does not divide `hidden`.
    """

    def __init__(
        self,
        length: int,
        hidden: int,
        layers: int,
        heads: int,
        feedforward: int,
        readout: Readout,
        positions: Places,
        dropout: float,
        activation: Callable[[], nn.Module],
    ) -> None:
        super().__init__()
        if hidden % heads:
            raise InputError(f"network.heads={heads}: give a divisor of network.hidden={hidden}")
        self.token = nn.Parameter(torch.zeros(hidden)) if readout == "token" else None
        length += readout == "token"
        if positions == "learned":
            self.positions: Tensor = nn.Parameter(torch.zeros(length, hidden))
        else:
            self.register_buffer("positions", sinusoids(length, hidden), persistent=False)
        self.dropout = nn.Dropout(dropout)
        blocks = [  # torch's TransformerEncoder would begin with equal weights in all of them
            nn.TransformerEncoderLayer(
                hidden, heads, feedforward, dropout, activation(), batch_first=True, norm_first=True
            )
            for _ in range(layers)
        ]
        self.blocks = nn.Sequential(*blocks)
        self.norm = nn.LayerNorm(hidden)

    @torch.no_grad()
    def draw_positions(self) -> None:
        """Draw the class token and learned positions; called after the network's initializer, which is for layers."""
        for parameter in self.parameters(recurse=False):
            parameter.normal_(std=SPREAD)

    def forward(self, vectors: Tensor) -> Tensor:
        if self.token is not None:
            vectors = torch.cat([self.token.expand(vectors.shape[0], 1, -1), vectors], 1)
        if vectors.shape[1] > len(self.positions):
            more = vectors.shape[1] - len(self.positions)
            raise InputError(f"network: it was made for sequences of a length, and these have {more} steps more")
        vectors = self.dropout(vectors + self.positions[: vectors.shape[1]])
        outputs = self.norm(self.blocks(vectors))  # (N, T, hidden)
        return outputs[:, 0] if self.token is not None else outputs.mean(1)


def sinusoids(length: int, size: int) -> Tensor:
    """Sines and cosines (length, size) of positions, in turns; their waves are 2π to 10,000 · 2π positions long.

    >>> sinusoids(2, 4)
    tensor([[0.0000, 1.0000, 0.0000, 1.0000],
            [0.8415, 0.5403, 0.0100, 0.9999]])
    """
    rates = torch.exp(torch.arange(0, size, 2) * (-math.log(10_000) / size))  # radians for a position
    angles = torch.arange(length)[:, None] * rates
    return torch.stack([angles.sin(), angles.cos()], 2).flatten(1)[:, :size]
