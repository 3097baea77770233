"""Fully connected generator, discriminator and encoder (ASCI report: GAN on MNIST)."""

import math
from collections.abc import Callable, Sequence

from torch import Tensor, nn

from atelier.networks.batch_norm import BatchNorm, norm
from atelier.networks.sizes import Size


class MLPGenerator(nn.Module):
    """Latents (N, latent_size) in, generated inputs (N, *out_shape) out; also the decoder of an autoencoder.

    Args:
        latent_size: size of a latent.
        out_shape: shape of a generated input.
        hidden: sizes of the hidden layers.
        batch_norm: batch norm before each activation: true, or keras for Keras's defaults.
        activation: makes an activation.
        output: makes the last activation.
        initializer: initializes the whole network, once.
    """

    def __init__(
        self,
        latent_size: Size,
        out_shape: Sequence[int],
        hidden: Sequence[Size],
        batch_norm: BatchNorm,
        activation: Callable[[], nn.Module],
        output: Callable[[], nn.Module],
        initializer: Callable[[nn.Module], None],
    ) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        size = latent_size
        for width in hidden:
            layers += [nn.Linear(size, width), *norm(batch_norm, nn.BatchNorm1d, width), activation()]
            size = width
        layers += [nn.Linear(size, math.prod(out_shape)), output(), nn.Unflatten(1, tuple(out_shape))]
        self.layers = nn.Sequential(*layers)
        initializer(self)

    def forward(self, latents: Tensor) -> Tensor:
        return self.layers(latents)


class MLPDiscriminator(nn.Module):
    """Inputs (N, *in_shape) in, scores (N, outputs) out.

    Args:
        in_shape: shape of an input.
        hidden: sizes of the hidden layers.
        batch_norm: batch norm before each activation: true, or keras for Keras's defaults.
        activation: makes an activation.
        initializer: initializes the whole network, once.
        outputs: size of the output.
    """

    def __init__(
        self,
        in_shape: Sequence[int],
        hidden: Sequence[Size],
        batch_norm: BatchNorm,
        activation: Callable[[], nn.Module],
        initializer: Callable[[nn.Module], None],
        outputs: Size = 1,
    ) -> None:
        super().__init__()
        layers: list[nn.Module] = [nn.Flatten()]
        size = math.prod(in_shape)
        for width in hidden:
            layers += [nn.Linear(size, width), *norm(batch_norm, nn.BatchNorm1d, width), activation()]
            size = width
        self.layers = nn.Sequential(*layers, nn.Linear(size, outputs))
        initializer(self)

    def forward(self, inputs: Tensor) -> Tensor:
        return self.layers(inputs)


class MLPEncoder(MLPDiscriminator):
    """Inputs (N, *in_shape) in, mean and log-variance of their latents side by side (N, 2·latent_size) out.

    Args:
        latent_size: size of a latent.
        in_shape, hidden, activation, initializer: see `MLPDiscriminator`.
    """

    def __init__(
        self,
        latent_size: Size,
        in_shape: Sequence[int],
        hidden: Sequence[Size],
        activation: Callable[[], nn.Module],
        initializer: Callable[[nn.Module], None],
    ) -> None:
        super().__init__(in_shape, hidden, False, activation, initializer, outputs=2 * latent_size)
