"""The Leiden course's CNN for Fashion-MNIST: convolutions 64 7×7, 2× 128 3×3 and 2× 256 3×3, then a dense part.

The report says 'no padding', which is impossible on 28×28: the last convolution would have an input of one pixel. This
network uses 'same' padding.
"""

from collections.abc import Callable, Sequence

from torch import nn

from atelier.networks.batch_norm import BatchNorm
from atelier.networks.blocks import Block, PictureClassifier, convolutions
from atelier.networks.dense import dense
from atelier.networks.sizes import Dropout, Size

BLOCKS = (Block((64,), kernel=7), Block((128, 128)), Block((256, 256)))


class CNN(PictureClassifier):
    """Images (N, C, H, W) in, logits (N, num_classes) out.

    Args:
        in_shape: (C, H, W) of an image.
        num_classes: size of the output.
        hidden: sizes of the dense part's hidden layers.
        dropout: share of a hidden layer's units dropped in training.
        batch_norm: batch norm after every convolution, before its activation: true, or keras for Keras's defaults.
        activation: makes the activation of the convolutional part.
        dense_activation: makes the activation of the dense part.
        initializer: initializes the whole network, once.

    Raises:
        InputError: if the images are too small for three pools.
    """

    def __init__(
        self,
        in_shape: Sequence[int],
        num_classes: Size,
        hidden: Sequence[Size],
        dropout: Dropout,
        batch_norm: BatchNorm,
        activation: Callable[[], nn.Module],
        dense_activation: Callable[[], nn.Module],
        initializer: Callable[[nn.Module], None],
    ) -> None:
        features, size = convolutions("CNN", in_shape, BLOCKS, batch_norm, activation)
        classifier = nn.Sequential(nn.Flatten(), *dense(size, hidden, num_classes, dropout, dense_activation))
        super().__init__(features, classifier, initializer)
