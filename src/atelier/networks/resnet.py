"""A small residual network for small images, as a modern reference: He et al. 2015 (arXiv:1512.03385), section 4.2.

Shortcuts that change the shape are 1×1 convolutions (the paper's option B).
"""

from collections.abc import Callable, Sequence

from torch import Tensor, nn

from atelier.networks.blocks import PictureClassifier, check_picture
from atelier.networks.sizes import Dropout, Size


class ResNet(PictureClassifier):
    """A convolution, three stages of residual blocks, global average pooling, a linear layer.

    Images (N, C, H, W) in, logits (N, num_classes) out. The second and third stage halve the sides and double the
    channels.

    Args:
        in_shape: (C, H, W) of an image.
        num_classes: size of the output.
        width: number of channels of the first stage.
        depth: number of residual blocks in each stage, with two convolutions each.
        dropout: share of the pooled features dropped in training.
        activation: makes an activation.
        initializer: initializes the whole network, once.

    Raises:
        InputError: if the inputs are not images.
    """

    def __init__(
        self,
        in_shape: Sequence[int],
        num_classes: Size,
        width: Size,
        depth: Size,
        dropout: Dropout,
        activation: Callable[[], nn.Module],
        initializer: Callable[[nn.Module], None],
    ) -> None:
        check_picture("ResNet", in_shape, 1)
        layers = [*normed_convolution(in_shape[0], width, 3), activation()]
        channels = width
        for stage, stride in enumerate((1, 2, 2)):
            for index in range(depth):
                layers.append(ResidualBlock(channels, width * 2**stage, 1 if index else stride, activation))
                channels = width * 2**stage
        features = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1))
        classifier = nn.Sequential(nn.Flatten(), nn.Dropout(dropout), nn.Linear(channels, num_classes))
        super().__init__(features, classifier, initializer)


class ResidualBlock(nn.Module):
    """Two 3×3 convolutions with batch norm, added to their input: (N, channels, H, W) to (N, width, ⌈H/stride⌉, …)."""

    def __init__(self, channels: int, width: int, stride: int, activation: Callable[[], nn.Module]) -> None:
        super().__init__()
        self.residual = nn.Sequential(
            *normed_convolution(channels, width, 3, stride), activation(), *normed_convolution(width, width, 3)
        )
        same_shape = channels == width and stride == 1
        self.shortcut = nn.Sequential(*([] if same_shape else normed_convolution(channels, width, 1, stride)))
        self.activation = activation()

    def forward(self, images: Tensor) -> Tensor:
        return self.activation(self.shortcut(images) + self.residual(images))


def normed_convolution(channels: int, width: int, kernel: int, stride: int = 1) -> list[nn.Module]:
    """A convolution with 'same' padding, without bias, and batch norm, whose bias replaces it."""
    convolution = nn.Conv2d(channels, width, kernel, stride, padding=kernel // 2, bias=False)
    return [convolution, nn.BatchNorm2d(width)]
