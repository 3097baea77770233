"""A CNN that trains fast on small images, by the 2×2 stem and the early pools of Jordan 2024 (arXiv:2404.00498).

Widths, initialization, batch norm and the last pool are not that paper's, and the input is not whitened.
"""

from collections.abc import Callable, Sequence

from torch import nn

from atelier.networks.blocks import PictureClassifier, check_picture
from atelier.networks.resnet import normed_convolution
from atelier.networks.sizes import Size


class FastCNN(PictureClassifier):
    """A 2×2 convolution, blocks of two 3×3 convolutions, global max pooling, a linear layer.

    Images (N, C, H, W) in, logits (N, num_classes) out. The first convolution of a block is pooled at once, before its
    batch norm: what follows works on a quarter of the pixels. With three blocks a side of 32 becomes 31, 15, 7, 3.

    Args:
        in_shape: (C, H, W) of an image.
        num_classes: size of the output.
        stem: number of channels of the 2×2 convolution, which has no padding.
        widths: number of channels of each block.
        activation: makes an activation.
        initializer: initializes the whole network, once.

    Raises:
        InputError: if the inputs are not images, or are too small for the number of pools.
    """

    def __init__(
        self,
        in_shape: Sequence[int],
        num_classes: Size,
        stem: Size,
        widths: Sequence[Size],
        activation: Callable[[], nn.Module],
        initializer: Callable[[nn.Module], None],
    ) -> None:
        check_picture("FastCNN", in_shape, 2 ** len(widths) + 1)
        layers: list[nn.Module] = [nn.Conv2d(in_shape[0], stem, 2), activation()]
        channels = stem
        for width in widths:
            convolution, norm = normed_convolution(channels, width, 3)
            layers += [convolution, nn.MaxPool2d(2), norm, activation()]
            layers += [*normed_convolution(width, width, 3), activation()]
            channels = width
        features = nn.Sequential(*layers, nn.AdaptiveMaxPool2d(1))
        super().__init__(features, nn.Sequential(nn.Flatten(), nn.Linear(channels, num_classes)), initializer)
