"""Learning-rate schedulers: the configuration of a scheduler of torch's, and further schedulers."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Literal

from annotated_types import Ge, Interval
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR, LRScheduler

from atelier.errors import InputError


@dataclass(frozen=True)
class Schedule:
    """A learning-rate scheduler with its interval.

    Args:
        scheduler: maps an optimizer to its scheduler; None: a constant learning rate.
        interval: "step" or "epoch": how often the scheduler steps.
        length: name of the scheduler's argument for the run's length in intervals; None: it has none.
    """

    scheduler: Callable[..., LRScheduler] | None
    interval: Literal["step", "epoch"] = "epoch"
    length: str | None = None

    def attach(self, optimizer: Optimizer, steps: int, epochs: int) -> LRScheduler | None:
        """The scheduler of `optimizer` for a run with these numbers of optimizer steps and epochs.

        Raises:
            InputError: if the run is so short that the scheduler divides by 0, as torch's OneCycleLR may.
        """
        if self.scheduler is None:
            return None
        count = steps if self.interval == "step" else epochs
        try:
            return self.scheduler(optimizer, **({self.length: count} if self.length else {}))
        except ZeroDivisionError as error:
            told = f"divides by 0 in a run of {count} {self.interval}s; give it another length, or scheduler=constant"
            raise InputError(f"scheduler.scheduler: {told}") from error


def inverse_time(optimizer: Optimizer, decay: Annotated[float, Ge(0)]) -> LambdaLR:
    """lr / (1 + decay · t) after t intervals."""
    return LambdaLR(optimizer, lambda t: 1 / (1 + decay * t))


def cosine(optimizer: Optimizer, total_steps: int, eta_min: Annotated[float, Ge(0)]) -> LambdaLR:
    """Half a cosine from lr down to eta_min over total_steps, then constant."""
    lr = optimizer.defaults["lr"]

    def factor(t: int) -> float:
        share = 0.5 * (1 + math.cos(math.pi * min(1.0, t / total_steps)))
        return (eta_min + (lr - eta_min) * share) / lr if lr else 1.0

    return LambdaLR(optimizer, factor)


def warmup_cosine(optimizer: Optimizer, total_steps: int, warmup: Annotated[float, Interval(ge=0, le=1)]) -> LambdaLR:
    """A linear rise to lr over the first `warmup` (a share of total_steps), then half a cosine down to 0."""
    rise = max(1, round(warmup * total_steps))

    def factor(t: int) -> float:
        if t < rise:
            return (t + 1) / rise
        return 0.5 * (1 + math.cos(math.pi * min(1.0, (t - rise) / max(1, total_steps - rise))))

    return LambdaLR(optimizer, factor)
