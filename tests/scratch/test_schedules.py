"""Schedules against torch's, over 30 epochs."""

from collections.abc import Callable

import pytest
import torch
from torch import nn
from torch.optim.lr_scheduler import ExponentialLR, LambdaLR, LRScheduler, StepLR

from atelier.scratch import schedules

LR = 0.3
PAIRS: dict[str, tuple[Callable[[int], float], Callable[[torch.optim.Optimizer], LRScheduler]]] = {
    "exponential": (lambda t: schedules.exponential(LR, t, gamma=0.9), lambda o: ExponentialLR(o, gamma=0.9)),
    "time_based": (
        lambda t: schedules.time_based(LR, t, decay=0.2),
        lambda o: LambdaLR(o, lambda t: 1 / (1 + 0.2 * t)),
    ),
    "step": (lambda t: schedules.step(LR, t, gamma=0.5, step_size=7), lambda o: StepLR(o, step_size=7, gamma=0.5)),
    "constant": (lambda t: schedules.constant(LR, t), lambda o: LambdaLR(o, lambda t: 1)),
}


@pytest.mark.parametrize("name", PAIRS)
def test_learning_rates_are_torchs(name: str) -> None:
    ours, theirs = PAIRS[name]
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=LR)
    scheduler = theirs(optimizer)
    for t in range(30):
        assert ours(t) == pytest.approx(optimizer.param_groups[0]["lr"], rel=1e-12)
        optimizer.step()
        scheduler.step()
