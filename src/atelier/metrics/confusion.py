"""The confusion matrix of a classifier, and the accuracy of each class."""

from typing import Any

import torch
from torch import Tensor
from torchmetrics import Metric

from atelier.metrics.predicted import NO_CLASS


class ConfusionMatrix(Metric):
    """Numbers of samples (C, C + 1) of each true class (row) predicted as each class (column), over all processes.

    The last column is of samples without a predicted class. Unlike `torch.bincount`, the update does not synchronise
    with the GPU.

    Args:
        num_classes: number of classes C.
        **options: those of torchmetrics.Metric, such as sync_on_compute.

    >>> metric = ConfusionMatrix(2)
    >>> metric.update(predicted=torch.tensor([0, 1, 1, NO_CLASS]), true=torch.tensor([0, 0, 1, 1]))
    >>> metric.compute()
    tensor([[1, 1, 0],
            [0, 1, 1]])
    """

    is_differentiable = False
    higher_is_better = None
    full_state_update = False
    counts: Tensor  # (C, 1 + C): its first column is that of NO_CLASS, -1

    def __init__(self, num_classes: int, **options: Any) -> None:
        super().__init__(**options)
        self.num_classes = num_classes
        counts = torch.zeros(num_classes, 1 + num_classes, dtype=torch.long)
        self.add_state("counts", default=counts, dist_reduce_fx="sum")

    def update(self, predicted: Tensor, true: Tensor) -> None:
        """Add a batch of classes, (N,) each; a predicted one may be NO_CLASS.

        Raises:
            RuntimeError, IndexError: from torch, for another class outside 0 to C − 1; on a GPU the error comes later.
        """
        marked = torch.zeros(len(predicted), 1 + self.num_classes, dtype=torch.long, device=predicted.device)
        marked.scatter_(1, predicted[:, None] - NO_CLASS, 1)
        self.counts.index_add_(0, true, marked)  # both check their indices

    def compute(self) -> Tensor:
        return self.counts.roll(-1, 1)


def class_accuracies(counts: Tensor) -> Tensor:
    """The accuracy on the samples of each class, (C,) in 64 bits; NaN for a class without samples.

    Args:
        counts: (C, C + 1) from `ConfusionMatrix`.

    >>> class_accuracies(torch.tensor([[3, 0, 1], [0, 0, 0]]))
    tensor([0.7500,    nan], dtype=torch.float64)
    """
    return counts.diagonal() / counts.sum(1).double()


def macro_f1(counts: Tensor) -> Tensor:
    """The mean over classes of F1 = 2 · hits / (samples of the class + predictions of it), a scalar in 64 bits.

    A class without samples and without predictions does not count.

    Args:
        counts: (C, C + 1) from `ConfusionMatrix`.

    >>> macro_f1(torch.tensor([[3, 1, 0, 0], [0, 2, 0, 0], [0, 0, 0, 0]]))
    tensor(0.8286, dtype=torch.float64)
    """
    sizes = (counts[:, :-1].sum(0) + counts.sum(1)).double()
    return (2 * counts.diagonal() / sizes)[sizes > 0].mean()
