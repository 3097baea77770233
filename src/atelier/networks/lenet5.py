"""ELEC576's two networks for 28×28 images: LeNet-5 with wide layers, and a variant with batch norm and dropout.

Convolutions and pools use 'same' padding, so that a side of 7 becomes 4. An activation follows every convolution, as in
the report, and every hidden layer, about which the report says nothing.
"""

import math
from collections.abc import Callable, Sequence

from torch import nn

from atelier.networks.blocks import PictureClassifier, check_picture
from atelier.networks.dense import dense
from atelier.networks.sizes import Dropout, Size


class LeNet5(PictureClassifier):
    """Conv 5×5 32, pool, Conv 5×5 64, pool, dense 1024. Images (N, C, H, W) in, logits (N, num_classes) out.

    Args:
        in_shape: (C, H, W) of an image.
        num_classes: size of the output.
        hidden: sizes of the dense part's hidden layers.
        dropout: share of a hidden layer's units dropped in training.
        activation: makes an activation.
        initializer: initializes the whole network, once.

    Raises:
        InputError: if the inputs are not images.
    """

    def __init__(
        self,
        in_shape: Sequence[int],
        num_classes: Size,
        hidden: Sequence[Size],
        dropout: Dropout,
        activation: Callable[[], nn.Module],
        initializer: Callable[[nn.Module], None],
    ) -> None:
        check_picture("LeNet5", in_shape, 1)
        features = nn.Sequential(
            *pooled_convolution(in_shape[0], 32, 5, activation),
            *pooled_convolution(32, 64, 5, activation),
        )
        size = 64 * pixels_after(2, in_shape)
        classifier = nn.Sequential(nn.Flatten(), *dense(size, hidden, num_classes, dropout, activation))
        super().__init__(features, classifier, initializer)


class LeNet5BatchNorm(PictureClassifier):
    """Conv 5×5 32, Conv 3×3 64, Conv 3×3 64, each with pool and batch norm, then dense 256 with batch norm.

    Images (N, C, H, W) in, logits (N, num_classes) out. Dropout follows the second block and the hidden layers.

    Args:
        in_shape: (C, H, W) of an image.
        num_classes: size of the output.
        hidden: sizes of the dense part's hidden layers.
        dropout: share of units dropped in training.
        activation: makes an activation.
        initializer: initializes the whole network, once.

    Raises:
        InputError: if the inputs are not images.
    """

    def __init__(
        self,
        in_shape: Sequence[int],
        num_classes: Size,
        hidden: Sequence[Size],
        dropout: Dropout,
        activation: Callable[[], nn.Module],
        initializer: Callable[[nn.Module], None],
    ) -> None:
        check_picture("LeNet5BatchNorm", in_shape, 1)
        features = nn.Sequential(
            *pooled_convolution(in_shape[0], 32, 5, activation),
            nn.BatchNorm2d(32),
            *pooled_convolution(32, 64, 3, activation),
            nn.BatchNorm2d(64),
            nn.Dropout(dropout),
            *pooled_convolution(64, 64, 3, activation),
            nn.BatchNorm2d(64),
        )
        layers: list[nn.Module] = [nn.Flatten()]
        size = 64 * pixels_after(3, in_shape)
        for width in hidden:
            layers += [nn.Linear(size, width), activation(), nn.BatchNorm1d(width), nn.Dropout(dropout)]
            size = width
        classifier = nn.Sequential(*layers, nn.Linear(size, num_classes))
        super().__init__(features, classifier, initializer)


def pooled_convolution(
    channels: int, width: int, kernel: int, activation: Callable[[], nn.Module]
) -> tuple[nn.Module, ...]:
    """Convolution, activation and max-pooling of size 2, with 'same' padding."""
    return nn.Conv2d(channels, width, kernel, padding=kernel // 2), activation(), nn.MaxPool2d(2, ceil_mode=True)


def pixels_after(pools: int, in_shape: Sequence[int]) -> int:
    """Number of pixels of an image (C, H, W) after `pools` pools of size 2 with 'same' padding."""
    return math.prod(math.ceil(side / 2**pools) for side in in_shape[1:])
