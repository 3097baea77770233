"""Expected calibration error: the difference between a classifier's confidence and its accuracy.

After Guo et al. 2017, 'On Calibration of Modern Neural Networks' (arXiv:1706.04599).
"""

from typing import Any

import torch
from torch import Tensor
from torchmetrics import Metric

BINS = 15  # as in the paper


def expected_calibration_error(confidence: Tensor, correct: Tensor, bins: int = BINS) -> Tensor:
    """Σ over bins of (samples in the bin / all samples) · |accuracy − mean confidence in the bin|, a scalar in [0, 1].

    The bins divide the confidences into ranges of equal width, each with its upper and without its lower end.

    Args:
        confidence: (N,) probability of the predicted class.
        correct: (N,) whether the predicted class is the true class.
        bins: number of bins.

    >>> expected_calibration_error(torch.tensor([0.9, 0.9, 0.6]), torch.tensor([True, False, True]))
    tensor(0.4000, dtype=torch.float64)
    """
    confidence, correct = confidence.double(), correct.double()
    place = (confidence * bins).ceil().long().sub(1).clamp(0, bins - 1)
    surplus = torch.zeros(bins, dtype=torch.float64, device=confidence.device)
    surplus.index_add_(0, place, correct - confidence)  # per bin: samples · (accuracy − mean confidence)
    return surplus.abs().sum() / len(confidence)


class CalibrationError(Metric):
    """Expected calibration error of all samples, over all processes.

    Confidence and correctness of each sample stay on the device; sums there would depend on the order of additions.

    Args:
        **options: those of torchmetrics.Metric, such as sync_on_compute.

    >>> metric = CalibrationError()
    >>> metric.update(torch.tensor([[0.0, 0.0], [0.0, 0.0]]), torch.tensor([0, 1]))
    >>> metric.compute()  # confidence 0.5, accuracy 0.5
    tensor(0., dtype=torch.float64)
    """

    is_differentiable = False
    higher_is_better = False
    full_state_update = False
    confidence: list[Tensor]
    correct: list[Tensor]

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.add_state("confidence", default=[], dist_reduce_fx="cat")
        self.add_state("correct", default=[], dist_reduce_fx="cat")

    def update(self, logits: Tensor, classes: Tensor) -> None:
        """Add a batch: logits (N, C) and true classes (N,)."""
        confidence, predicted = logits.float().softmax(1).max(1)
        self.confidence.append(confidence)
        self.correct.append(predicted == classes)

    def compute(self) -> Tensor:
        return expected_calibration_error(joined(self.confidence), joined(self.correct))


def joined(parts: list[Tensor] | Tensor) -> Tensor:
    """Concatenate a state on the CPU; after a reduction over processes, it is a single tensor."""
    return (torch.cat(list(parts)) if isinstance(parts, list) else parts).cpu()
