"""Precision and recall of generated samples: whether they look real, and whether they cover the real samples.

Kynkäänniemi et al. 2019, arXiv:1904.06991: the manifold of a set is the union of balls around its points; the radius of
a ball is the distance to the k-th nearest other point of the set.
"""

import torch
from torch import Tensor

from atelier.metrics.sums import precise

ROWS = 1000  # rows of a distance matrix computed at once


def precision_and_recall(real: Tensor, made: Tensor, k: int = 3) -> tuple[Tensor, Tensor]:
    """The share of generated features in the manifold of the real features, and the reverse: two scalars in [0, 1].

    Args:
        real, made: features (N, D) of real and (M, D) of generated samples, more than k each.
        k: the neighbour whose distance is the radius of a ball.

    >>> real, far = torch.arange(8.0)[:, None], torch.arange(8.0)[:, None] + 100
    >>> precision_and_recall(real, real), precision_and_recall(real, far)
    ((tensor(1.), tensor(1.)), (tensor(0.), tensor(0.)))
    """
    # torch.cdist computes |x|² − 2xy + |y|², which loses precision far from the origin.
    centre = real.to(precise(real.device)).mean(0)
    real, made = real - centre, made - centre
    return share_within(made, real, k), share_within(real, made, k)


def share_within(points: Tensor, manifold: Tensor, k: int) -> Tensor:
    """The share of points (M, D) that lie in a ball around any point of a manifold (N, D)."""
    radii = torch.cat([torch.cdist(part, manifold).kthvalue(k + 1, dim=1).values for part in manifold.split(ROWS)])
    radii *= 1 + 1e-9  # a point at the radius is inside, however its distance is rounded
    inside = [(torch.cdist(part, manifold) <= radii).any(1) for part in points.split(ROWS)]
    return torch.cat(inside).float().mean()
