"""Each schedule follows its formula, over the length that the run has."""

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from omegaconf import DictConfig
from torch.optim import SGD, Optimizer

from atelier.compose.targets import build
from atelier.tasks.schedule import Schedule

LR, STEPS, EPOCHS = 0.1, 40, 12
Compose = Callable[..., DictConfig]


def optimizer() -> Optimizer:
    return SGD([torch.zeros(1, requires_grad=True)], lr=LR)


def rates(schedule: Schedule, count: int) -> list[float]:
    """The learning rate of each of the first `count` intervals of a run."""
    sgd = optimizer()
    scheduler = schedule.attach(sgd, STEPS, EPOCHS)
    found = []
    for _ in range(count):
        found.append(sgd.param_groups[0]["lr"])
        sgd.step()
        if scheduler is not None:
            scheduler.step()
    return found


def half_cosine(start: float, end: float, share: float) -> float:
    return end + (start - end) * (1 + math.cos(math.pi * share)) / 2


def one_cycle(t: int) -> float:
    top, last = 0.25 * STEPS - 1, STEPS - 1
    low, lowest = LR / 25, LR / 25 / 10000
    return half_cosine(low, LR, t / top) if t <= top else half_cosine(LR, lowest, (t - top) / (last - top))


def warmup_cosine(t: int) -> float:
    return (t + 1) / 2 * LR if t < 2 else half_cosine(LR, 0, (t - 2) / (STEPS - 2))  # 5 % of 40 steps are 2


FORMULAS: dict[str, Callable[[int], float]] = {
    "constant": lambda t: LR,
    "step": lambda t: LR * 0.1 ** (t // 10),
    "exponential": lambda t: LR * 0.95**t,
    "inverse_time": lambda t: LR / (1 + 0.1 * t),
    "cosine": lambda t: half_cosine(LR, 0, t / STEPS),
    "one_cycle": one_cycle,
    "warmup_cosine": warmup_cosine,
}


@pytest.mark.parametrize("name", FORMULAS)
def test_a_schedule_follows_its_formula(compose: Compose, name: str) -> None:
    schedule = build(compose(f"scheduler={name}", f"optimizer.lr={LR}").scheduler)
    count = STEPS if schedule.interval == "step" else EPOCHS
    assert rates(schedule, count) == pytest.approx([FORMULAS[name](t) for t in range(count)], abs=1e-9)


def test_every_schedule_attaches_to_a_run(compose: Compose, scheduler_option: str) -> None:
    schedule = build(compose(f"scheduler={scheduler_option}").scheduler)
    sgd = optimizer()
    schedule.attach(sgd, STEPS, EPOCHS)
    assert 0 < sgd.param_groups[0]["lr"] <= LR


def test_plateau_lowers_the_rate_after_more_than_patience_validations_without_improvement(compose: Compose) -> None:
    schedule = build(compose("scheduler=plateau").scheduler)
    sgd = optimizer()
    plateau = schedule.attach(sgd, STEPS, EPOCHS)
    found = []
    for _ in range(8):
        sgd.step()
        plateau.step(1.0)
        found.append(sgd.param_groups[0]["lr"])
    assert found == pytest.approx([LR] * 6 + [LR / 10] * 2)  # the first is the best, then patience=5, then one more


@pytest.mark.parametrize(("interval", "length"), [("step", STEPS), ("epoch", EPOCHS)])
def test_the_length_of_the_run_is_counted_in_intervals(interval: Any, length: int) -> None:
    seen: dict[str, int] = {}
    Schedule(lambda optimizer, **given: seen.update(given), interval, "total").attach(optimizer(), STEPS, EPOCHS)
    assert seen == {"total": length}


def test_a_schedule_without_a_length_is_told_none() -> None:
    seen: list[dict[str, int]] = []
    Schedule(lambda optimizer, **given: seen.append(given)).attach(optimizer(), STEPS, EPOCHS)
    assert seen == [{}]


@pytest.mark.parametrize("steps", [1, 2, 3])
def test_warmup_cosine_survives_the_shortest_runs(compose: Compose, steps: int) -> None:
    schedule = build(compose("scheduler=warmup_cosine").scheduler)
    sgd = optimizer()
    scheduler = schedule.attach(sgd, steps, 1)
    for _ in range(steps):
        assert 0 < sgd.param_groups[0]["lr"] <= LR
        sgd.step()
        scheduler.step()
