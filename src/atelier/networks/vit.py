"""A vision transformer: attention over the patches of an image (Dosovitskiy et al., 2020, arXiv:2010.11929)."""

import math
from collections.abc import Callable, Sequence

import torch.nn.functional as F
from torch import Tensor, nn

from atelier.errors import InputError
from atelier.networks.attention import AttentionEncoder, Places, Readout
from atelier.networks.blocks import check_picture
from atelier.networks.sizes import Dropout, Size


class ViT(nn.Module):
    """Images (N, C, H, W) in, logits (N, num_classes) out.

    A strided convolution makes a vector of each patch. Sides that the patch does not divide are padded with zeros on
    the right and at the bottom.

    Args:
        in_shape: (C, H, W) of an image.
        num_classes: size of the output.
        patch: side of a patch, pixels.
        hidden, layers, heads, feedforward, readout, positions: see `AttentionEncoder`.
        dropout: share dropped in training, see `AttentionEncoder`.
        activation: makes the activation of a block's dense part.
        initializer: initializes all layers; the class token and learned positions begin with small normal numbers.

    Raises:
        InputError: if the inputs are no images, or `heads` does not divide `hidden`.
    """

    def __init__(
        self,
        in_shape: Sequence[int],
        num_classes: Size,
        patch: Size,
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
        super().__init__()
        check_picture("ViT", in_shape, least=1)
        channels, height, width = in_shape
        self.missing = (0, -width % patch, 0, -height % patch)  # pixels to the left, right, top and bottom
        self.patches = nn.Conv2d(channels, hidden, patch, stride=patch)
        self.grid = [math.ceil(side / patch) for side in (height, width)]
        self.encoder = AttentionEncoder(
            math.prod(self.grid), hidden, layers, heads, feedforward, readout, positions, dropout, activation
        )
        self.output = nn.Linear(hidden, num_classes)
        initializer(self)
        self.encoder.draw_positions()

    def forward(self, images: Tensor) -> Tensor:
        patches = self.patches(F.pad(images, self.missing))  # (N, hidden, H / patch, W / patch)
        if (grid := list(patches.shape[2:])) != self.grid:
            raise InputError(f"network: it was made for {self.grid} patches, and these images have {grid}")
        return self.output(self.encoder(patches.flatten(2).transpose(1, 2)))
