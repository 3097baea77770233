"""Running means that need a few additions per step, and no synchronisation before `compute`."""

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
        self.total.add_(mean, alpha=count)  # torchmetrics updates without a gradient
        self.count.add_(count)

    def compute(self) -> Tensor:
        return self.total / self.count


class Share(Mean):
    """The share of samples of which something is true, such as an accuracy, over all processes.

    It counts them: as a mean of batches' means in 32 bits, equal accuracies of two epochs would differ in the ninth
    digit, by how their samples lie in the batches, and either might be the best.

    >>> share = Share()
    >>> share.update(torch.tensor([True, False, True]))
    >>> share.compute()
    tensor(0.6667, dtype=torch.float64)
    """

    def update(self, true: Tensor) -> None:  # type: ignore[override]
        """Add a batch: whether it is true of each sample, (N,)."""
        self.total.add_(true.sum())
        self.count.add_(len(true))
