"""The losses of a generator and a discriminator, functions of the scores (N, 1) of real and of generated inputs.

A score is a logit: a larger score means more real. Each function returns a scalar to minimise.

- bce: cross-entropy; the generator maximises log D(G(z)) (Goodfellow et al. 2014, arXiv:1406.2661)
- lsgan: squared distance of the score to 1 for real and to 0 for generated inputs (Mao et al. 2017, arXiv:1611.04076)
- hinge: margins of 1 (Lim and Ye 2017, arXiv:1705.02894)
- wgan_gp: difference of the mean scores, with `gradient_penalty` (Gulrajani et al. 2017, arXiv:1704.00028)
"""

from collections.abc import Callable
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class Adversarial(NamedTuple):
    """The losses of both networks."""

    discriminator: Callable[[Tensor, Tensor], Tensor]  # of the scores of real and of generated inputs
    generator: Callable[[Tensor], Tensor]  # of the scores of generated inputs


def bce_discriminator(real: Tensor, made: Tensor) -> Tensor:
    """-E log D(x) - E log(1 - D(G(z))), where D is the sigmoid of the score.

    >>> bce_discriminator(torch.zeros(2, 1), torch.zeros(2, 1))  # undecided: 2 log 2
    tensor(1.3863)
    """
    return F.softplus(-real).mean() + F.softplus(made).mean()


def bce_generator(made: Tensor) -> Tensor:
    """-E log D(G(z))."""
    return F.softplus(-made).mean()


def lsgan_discriminator(real: Tensor, made: Tensor) -> Tensor:
    """½ E (D(x) - 1)² + ½ E D(G(z))²."""
    return ((real - 1).square().mean() + made.square().mean()) / 2


def lsgan_generator(made: Tensor) -> Tensor:
    """½ E (D(G(z)) - 1)²."""
    return (made - 1).square().mean() / 2


def hinge_discriminator(real: Tensor, made: Tensor) -> Tensor:
    """E max(0, 1 - D(x)) + E max(0, 1 + D(G(z)))."""
    return F.relu(1 - real).mean() + F.relu(1 + made).mean()


def wasserstein_discriminator(real: Tensor, made: Tensor) -> Tensor:
    """E D(G(z)) - E D(x)."""
    return made.mean() - real.mean()


def negative_score(made: Tensor) -> Tensor:
    """-E D(G(z))."""
    return -made.mean()


LOSSES = {
    "bce": Adversarial(bce_discriminator, bce_generator),
    "lsgan": Adversarial(lsgan_discriminator, lsgan_generator),
    "hinge": Adversarial(hinge_discriminator, negative_score),
    "wgan_gp": Adversarial(wasserstein_discriminator, negative_score),
}


def gradient_penalty(discriminator: nn.Module, real: Tensor, made: Tensor) -> Tensor:
    """E (‖∇D(x̂)‖ - 1)², a scalar, with x̂ at random points of the lines between real and generated inputs (N, …).

    The score of an input must not depend on the others of its batch, as with batch norm.
    """
    share = torch.rand(len(real), *[1] * (real.dim() - 1), device=real.device, dtype=real.dtype)
    between = made.detach().lerp(real, share).requires_grad_()
    score = discriminator(between).sum()  # the sum's gradient for an input is that of the input's own score
    (gradient,) = torch.autograd.grad(score, between, create_graph=True)
    return (gradient.flatten(1).norm(dim=1) - 1).square().mean()
