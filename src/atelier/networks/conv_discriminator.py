"""The Leiden report's convolutional discriminator, and the encoder that shares its convolutions."""

from collections.abc import Callable, Sequence
from typing import Annotated

import torch
from annotated_types import Ge
from torch import Tensor, nn

from atelier.networks.sizes import Size
from atelier.networks.strided import GaussianNoise, check_picture, strided


class ConvDiscriminator(nn.Module):
    """Images (N, *in_shape) in, scores (N, 1) out: 3×3 convolutions of stride 2, noise after each, a dense layer.

    Args:
        in_shape: (C, H, W) of an image.
        channels: number of filters of each convolution.
        depth: number of convolutions; each halves the sides.
        noise: standard deviation of the Gaussian noise after every layer, in training.
        activation: makes an activation.
        initializer: initializes the whole network, once.

    Raises:
        InputError: if the images are too small for the depth.
    """

    def __init__(
        self,
        in_shape: Sequence[int],
        channels: Size,
        depth: Size,
        noise: Annotated[float, Ge(0)],
        activation: Callable[[], nn.Module],
        initializer: Callable[[nn.Module], None],
    ) -> None:
        super().__init__()
        check_picture(self, in_shape, depth)
        self.features, size = strided(in_shape, channels, depth, noise, activation)
        self.score = nn.Sequential(nn.Linear(size, 1), GaussianNoise(noise))
        initializer(self)
        self.to(memory_format=torch.channels_last)

    def forward(self, images: Tensor) -> Tensor:
        return self.score(self.features(images))


class ConvEncoder(nn.Module):
    """Images (N, *in_shape) in, mean and log-variance of their latents side by side (N, 2·latent_size) out.

    The layers are the discriminator's convolutions without noise, a dense layer, and the output layer.

    Args:
        latent_size: size of a latent.
        in_shape, channels, depth, activation, initializer: see `ConvDiscriminator`.
        hidden: size of the dense layer.
    """

    def __init__(
        self,
        latent_size: Size,
        in_shape: Sequence[int],
        channels: Size,
        depth: Size,
        hidden: Size,
        activation: Callable[[], nn.Module],
        initializer: Callable[[nn.Module], None],
    ) -> None:
        super().__init__()
        check_picture(self, in_shape, depth)
        self.features, size = strided(in_shape, channels, depth, 0.0, activation)
        self.moments = nn.Sequential(nn.Linear(size, hidden), activation(), nn.Linear(hidden, 2 * latent_size))
        initializer(self)
        self.to(memory_format=torch.channels_last)

    def forward(self, images: Tensor) -> Tensor:
        return self.moments(self.features(images))
