"""Blocks of 3×3 convolutions with batch norm: IFT6135's networks for dogs vs. cats, and ASCI's VGG-like networks."""

from collections.abc import Callable, Sequence

from torch import nn

from atelier.networks.batch_norm import BatchNorm
from atelier.networks.blocks import Block, PictureClassifier, convolutions
from atelier.networks.dense import dense
from atelier.networks.sizes import Dropout, Size


class ConvBlocks(PictureClassifier):
    """Images (N, C, H, W) in, logits (N, num_classes) out.

    Args:
        in_shape: (C, H, W) of an image.
        num_classes: size of the output.
        blocks: for each block the number of channels of its convolution, or a list of them for several convolutions;
            a max pool of 2 ends each block.
        hidden: sizes of the dense part's hidden layers.
        dropout: share of a hidden layer's units dropped in training.
        batch_norm: batch norm after every convolution and every hidden layer, before its activation.
        activation: makes the activation of the convolutional part.
        dense_activation: makes the activation of the dense part.
        initializer: initializes the whole network, once.

    Raises:
        InputError: if the images are too small for the number of pools.
    """

    def __init__(
        self,
        in_shape: Sequence[int],
        num_classes: Size,
        blocks: Sequence[Size | Sequence[Size]],
        hidden: Sequence[Size],
        dropout: Dropout,
        batch_norm: BatchNorm,
        activation: Callable[[], nn.Module],
        dense_activation: Callable[[], nn.Module],
        initializer: Callable[[nn.Module], None],
    ) -> None:
        layout = [Block((widths,) if isinstance(widths, int) else widths) for widths in blocks]
        features, size = convolutions("ConvBlocks", in_shape, layout, batch_norm, activation)
        classifier = nn.Sequential(
            nn.Flatten(), *dense(size, hidden, num_classes, dropout, dense_activation, batch_norm)
        )
        super().__init__(features, classifier, initializer)
