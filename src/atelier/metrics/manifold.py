"""Precision and recall of generated samples: do they look real, and do they cover what is real?

Kynkäänniemi et al. 2019, arXiv:1904.06991: a set's manifold is the union of balls around its points, each as large as
the distance to the k-th nearest other point of the set.
"""

import torch
from torch import Tensor

from atelier.metrics.sums import precise

ROWS = 1000  # of a distance matrix at once


def precision_and_recall(real: Tensor, made: Tensor, k: int = 3) -> tuple[Tensor, Tensor]:
    """The share of made features within the manifold of the real ones, and the other way round: two scalars.

    Args:
        real, made: features (N, D) and (M, D), each of more than k points.
        k: which neighbour gives a ball its radius.

    >>> real, far = torch.arange(8.0)[:, None], torch.arange(8.0)[:, None] + 100
    >>> precision_and_recall(real, real), precision_and_recall(real, far)
    ((tensor(1.), tensor(1.)), (tensor(0.), tensor(0.)))
    """
    # Distances are worked out as |x|² − 2xy + |y|², which far from the origin leaves little of a difference.
    centre = real.to(precise(real.device)).mean(0)
    real, made = real - centre, made - centre
    return share_within(made, real, k), share_within(real, made, k)


def share_within(points: Tensor, manifold: Tensor, k: int) -> Tensor:
    """The share of points (M, D) that lie in a ball around any of the points of a manifold (N, D)."""
    radii = torch.cat([torch.cdist(part, manifold).kthvalue(k + 1, dim=1).values for part in manifold.split(ROWS)])
    inside = [(torch.cdist(part, manifold) <= radii).any(1) for part in points.split(ROWS)]
    return torch.cat(inside).float().mean()
