"""The Leiden report's convolutional generator, which is also the report's decoder."""

import itertools
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from atelier.networks.batch_norm import BatchNorm, norm
from atelier.networks.sizes import Size
from atelier.networks.strided import check_picture, halved


class ConvGenerator(nn.Module):
    """Latents (N, latent_size) in, images (N, *out_shape) out.

    The layers are a dense layer to a small feature map, transposed 3×3 convolutions that each double its sides (minus
    a pixel if the target side is odd), and a 3×3 convolution to the image's channels.

    Args:
        latent_size: size of a latent.
        out_shape: (C, H, W) of an image.
        first_channels: channels of the small feature map.
        channels: channels of each transposed convolution.
        depth: number of transposed convolutions.
        batch_norm: batch norm after each transposed convolution: true, or keras for Keras's defaults.
        activation: makes an activation.
        output: makes the last activation.
        initializer: initializes the whole network, once.

    Raises:
        InputError: if the images are too small for the depth.
    """

    def __init__(
        self,
        latent_size: Size,
        out_shape: Sequence[int],
        first_channels: Size,
        channels: Size,
        depth: Size,
        batch_norm: BatchNorm,
        activation: Callable[[], nn.Module],
        output: Callable[[], nn.Module],
        initializer: Callable[[nn.Module], None],
    ) -> None:
        super().__init__()
        check_picture(self, out_shape, depth)
        sides = list(zip(*(halved(side, depth)[::-1] for side in out_shape[1:]), strict=True))  # from the smallest on
        (height, width), before = sides[0], first_channels
        layers: list[nn.Module] = [nn.Linear(latent_size, before * height * width), activation()]
        layers.append(nn.Unflatten(1, (before, height, width)))
        for (height, width), (next_height, next_width) in itertools.pairwise(sides):
            rest = (next_height - (2 * height - 1), next_width - (2 * width - 1))  # 1, or 0 if the side is odd
            layers.append(nn.ConvTranspose2d(before, channels, 3, stride=2, padding=1, output_padding=rest))
            layers += [*norm(batch_norm, nn.BatchNorm2d, channels), activation()]
            before = channels
        self.layers = nn.Sequential(*layers, nn.Conv2d(before, out_shape[0], 3, padding=1), output())
        initializer(self)
        self.to(memory_format=torch.channels_last)

    def forward(self, latents: Tensor) -> Tensor:
        return self.layers(latents).contiguous()
