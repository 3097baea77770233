"""Common-sense error (Leiden report 'Tell the time'): the distance of two times on the 12-hour circle, in minutes."""

from typing import Any

import torch
from torch import Tensor
from torchmetrics import Metric

HALF_DAY = 720  # minutes
SAME_HANDS = HALF_DAY / 11  # minutes until the hands make the same angle again


def common_sense_error(predicted: Tensor, true: Tensor) -> Tensor:
    """The shorter distance on the clock between two times in minutes, any shape: values in [0, 360].

    A prediction of NaN has the largest error, 360. A broken network is therefore worse than a guessing one (180 on
    average), and a single NaN does not make the mean NaN.

    >>> common_sense_error(torch.tensor([719.0, 10.0, torch.nan]), torch.tensor([1.0, 370.0, 1.0]))
    tensor([  2., 360., 360.])
    """
    difference = (predicted - true).abs() % HALF_DAY
    return torch.minimum(difference, HALF_DAY - difference).nan_to_num(nan=HALF_DAY / 2)


def modulo_turns(errors: Tensor) -> Tensor:
    """Common-sense errors of any shape as if each dial had been turned to suit its reading: values in [0, 33].

    A dial without marks, turned any way, shows one of 11 times: those at which its hands make the same angle. The error
    is to the nearest of them. It tells whether the hands were read where the direction of the twelve was not.

    >>> modulo_turns(torch.tensor([0.0, 65.0, 360.0])).round(decimals=2)
    tensor([ 0.0000,  0.4500, 32.7300])
    """
    rest = errors % SAME_HANDS
    return torch.minimum(rest, SAME_HANDS - rest)


class CommonSenseError(Metric):
    """Mean and median common-sense error in minutes, the share within 5 minutes, and the median of `modulo_turns`.

    The metric keeps the errors of all samples, of all processes, since a median needs them.

    Args:
        **options: those of torchmetrics.Metric, such as sync_on_compute.

    >>> metric = CommonSenseError()
    >>> metric.update(torch.tensor([719.0, 10.0, 100.0]), torch.tensor([1.0, 370.0, 104.0]))
    >>> {name: round(value.item(), 3) for name, value in metric.compute().items()}
    {'common_sense_error': 122.0, 'median_error': 4.0, 'within_5_minutes': 0.667, 'median_error_modulo_turns': 4.0}
    """

    is_differentiable = False
    higher_is_better = False
    full_state_update = False
    errors: list[Tensor]

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.add_state("errors", default=[], dist_reduce_fx="cat")

    def update(self, predicted: Tensor, true: Tensor) -> None:
        """Add a batch: predicted and true times (N,) in minutes."""
        self.errors.append(common_sense_error(predicted, true))

    def compute(self) -> dict[str, Tensor]:
        errors = torch.cat(list(self.errors)) if isinstance(self.errors, list) else self.errors
        # With sorted values in 64 bits, the mean does not depend on the distribution of samples over processes.
        errors = errors.cpu().double().sort().values
        return {
            "common_sense_error": errors.mean(),
            "median_error": errors.quantile(0.5),
            "within_5_minutes": (errors <= 5).double().mean(),
            "median_error_modulo_turns": modulo_turns(errors).quantile(0.5),
        }
