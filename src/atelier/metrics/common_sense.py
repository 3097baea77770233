"""Common-sense error (Leiden report 'Tell the time'): how far off a time is on the 12-hour circle, in minutes."""

import torch
from torch import Tensor
from torchmetrics import Metric

HALF_DAY = 720  # minutes


def common_sense_error(predicted: Tensor, true: Tensor) -> Tensor:
    """The shorter way round the clock between two times in minutes, of any shape: values in [0, 360].

    What is predicted as NaN is no time, and counts as wrong as can be. So a broken network is worse than one that
    guesses (180), and one broken prediction does not hide how the others are.

    >>> common_sense_error(torch.tensor([719.0, 10.0, torch.nan]), torch.tensor([1.0, 370.0, 1.0]))
    tensor([  2., 360., 360.])
    """
    difference = (predicted - true).abs() % HALF_DAY
    return torch.minimum(difference, HALF_DAY - difference).nan_to_num(nan=HALF_DAY / 2)


class CommonSenseError(Metric):
    """Mean and median common-sense error in minutes, and the share of samples within 5 minutes.

    The errors of all samples are kept, since a median needs them; on several processes those of all of them.

    >>> metric = CommonSenseError()
    >>> metric.update(torch.tensor([719.0, 10.0, 100.0]), torch.tensor([1.0, 370.0, 104.0]))
    >>> {name: round(value.item(), 3) for name, value in metric.compute().items()}
    {'common_sense_error': 122.0, 'median_error': 4.0, 'within_5_minutes': 0.667}
    """

    full_state_update = False
    errors: list[Tensor]

    def __init__(self) -> None:
        super().__init__()
        self.add_state("errors", default=[], dist_reduce_fx="cat")

    def update(self, predicted: Tensor, true: Tensor) -> None:
        """Add the times of one batch, (N,) minutes each."""
        self.errors.append(common_sense_error(predicted, true))

    def compute(self) -> dict[str, Tensor]:
        errors = torch.cat(list(self.errors)) if isinstance(self.errors, list) else self.errors
        # Sorted and in 64 bits, the mean does not depend on which process saw which sample.
        errors = errors.cpu().double().sort().values
        return {
            "common_sense_error": errors.mean(),
            "median_error": errors.quantile(0.5),
            "within_5_minutes": (errors <= 5).double().mean(),
        }
