"""Which classes are taken for which."""

import torch
from torch import Tensor
from torchmetrics import Metric


class ConfusionMatrix(Metric):
    """How many samples of each true class (rows) were predicted as each class (columns), over all processes.

    Unlike `torch.bincount`, counting here never waits for a GPU.

    Args:
        num_classes: C.

    >>> metric = ConfusionMatrix(2)
    >>> metric.update(predicted=torch.tensor([0, 1, 1]), true=torch.tensor([0, 0, 1]))
    >>> metric.compute()
    tensor([[1, 1],
            [0, 1]])
    """

    full_state_update = False
    counts: Tensor

    def __init__(self, num_classes: int) -> None:
        super().__init__()
        self.num_classes = num_classes
        self.add_state("counts", default=torch.zeros(num_classes, num_classes, dtype=torch.long), dist_reduce_fx="sum")

    def update(self, predicted: Tensor, true: Tensor) -> None:
        """Add a batch of classes, (N,) each.

        Raises:
            RuntimeError, IndexError: from torch, if one is none of the classes; a GPU stops at it a little later.
        """
        marked = torch.zeros(len(predicted), self.num_classes, dtype=torch.long, device=predicted.device)
        self.counts.index_add_(0, true, marked.scatter_(1, predicted[:, None], 1))  # both look at their indices

    def compute(self) -> Tensor:
        return self.counts


def class_accuracies(counts: Tensor) -> Tensor:
    """The share of each class's samples that are predicted right, (C,): NaN where a class has none.

    Args:
        counts: (C, C) as `ConfusionMatrix` gives them.

    >>> class_accuracies(torch.tensor([[3, 1], [0, 0]]))
    tensor([0.7500,    nan])
    """
    return counts.diagonal() / counts.sum(1)
