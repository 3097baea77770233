"""The area under the ROC curve: how well the score of a class tells its samples from all others."""

from typing import Any

import torch
from torch import Tensor
from torchmetrics import Metric

from atelier.metrics.calibration import joined


def auroc(scores: Tensor, classes: Tensor) -> Tensor:
    """The area under the ROC curve of each class against all others, (C,); NaN for a class with no sample, or all.

    If a score is NaN, which has no place in their order, all areas are.

    It is the share of pairs of a sample of the class and another one in which the first has the higher score; equal
    scores count half.

    Args:
        scores: (N, C), such as probabilities.
        classes: (N,) true classes.

    >>> auroc(torch.tensor([[0.9, 0.1], [0.6, 0.4], [0.7, 0.3], [0.2, 0.8]]), torch.tensor([0, 0, 1, 1]))
    tensor([0.7500, 0.7500], dtype=torch.float64)
    """
    if scores.isnan().any():
        return scores.new_full((scores.shape[1],), torch.nan, dtype=torch.float64)
    areas = []
    for number, column in enumerate(scores.T):
        own = classes == number
        _, place, counts = column.unique(sorted=True, return_inverse=True, return_counts=True)
        ranks = counts.cumsum(0).double() - (counts - 1) / 2  # from 1; the mean rank of equal scores
        positive, negative = own.sum(), (~own).sum()
        wins = ranks[place][own].sum() - positive * (positive + 1) // 2
        areas.append(wins / (positive * negative))
    return torch.stack(areas)


class Auroc(Metric):
    """The mean over classes of `auroc` on all samples, over all processes; NaN if there are samples of one
    class only, or logits without a softmax.

    The scores are log(p / (1 − p)) of the probabilities p, which have the same order: in 32 bits, the probabilities of
    logits more than 17 apart are all 1, and equal.

    Args:
        **options: those of torchmetrics.Metric, such as sync_on_compute.
    """

    is_differentiable = False
    higher_is_better = True
    full_state_update = False
    logits: list[Tensor]
    classes: list[Tensor]

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.add_state("logits", default=[], dist_reduce_fx="cat")
        self.add_state("classes", default=[], dist_reduce_fx="cat")

    def update(self, logits: Tensor, classes: Tensor) -> None:
        """Add a batch: logits (N, C) and true classes (N,)."""
        self.logits.append(logits)
        self.classes.append(classes)

    def compute(self) -> Tensor:
        return auroc(log_odds(joined(self.logits).double()), joined(self.classes)).nanmean()


def log_odds(logits: Tensor) -> Tensor:
    """log(p / (1 − p)) of the softmax p of logits, (N, C) both, exact also where p is rounded to 1.

    >>> log_odds(torch.tensor([[50.0, 0.0], [90.0, 0.0]]))
    tensor([[ 50., -50.],
            [ 90., -90.]])
    """
    top = logits.argmax(1, keepdim=True)
    others = logits.scatter(1, top, -torch.inf).logsumexp(1, keepdim=True)
    log_p = logits.log_softmax(1)
    return (log_p - torch.log1p(-log_p.exp())).scatter(1, top, logits.gather(1, top) - others)
