"""A running mean that needs two additions per step, and no synchronisation before `compute`."""

from typing import Any

import torch
from torch import Tensor

from atelier.metrics.sums import Summed


class Mean(Summed):
    """The mean over samples of a value given per batch, over all processes, summed in 64 bits.

    Args:
        **options: those of torchmetrics.Metric, such as sync_on_compute.

    >>> mean = Mean()
    >>> mean.update(torch.tensor(2.0), 3)
    >>> mean.update(torch.tensor(6.0), 1)
    >>> mean.compute()
    tensor(3., dtype=torch.float64)
    """

    is_differentiable = False
    higher_is_better = None
    total: Tensor
    count: Tensor

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.add_state("total", default=torch.zeros((), dtype=torch.float64), dist_reduce_fx="sum")
        self.add_state("count", default=torch.zeros((), dtype=torch.int64), dist_reduce_fx="sum")

    def update(self, mean: Tensor, count: int) -> None:
        """Add a batch: its mean, and its number of samples."""
        self.total.add_(mean.detach(), alpha=count)
        self.count.add_(count)

    def compute(self) -> Tensor:
        return self.total / self.count
