"""Each schedule follows its formula, over the length that the run has."""

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from omegaconf import DictConfig
from torch.optim import SGD, Optimizer

from atelier.compose.targets import build
from atelier.errors import InputError
from atelier.tasks.schedule import Schedule

LR, STEPS, EPOCHS = 0.1, 40, 12
Compose = Callable[..., DictConfig]
Run = Callable[..., Any]


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


@pytest.mark.parametrize(
    ("name", "end"), [("cosine", 0.0), ("cosine", 0.02), ("cosine", LR), ("warmup_cosine", 0.0)], ids=str
)
def test_a_cosine_falls_to_its_end_and_stays_there(compose: Compose, name: str, end: float) -> None:
    lowest = [f"scheduler.scheduler.eta_min={end}"] if name == "cosine" else []
    found = rates(build(compose(f"scheduler={name}", *lowest, f"optimizer.lr={LR}").scheduler), STEPS + 9)
    assert found[STEPS:] == pytest.approx([end] * 9, abs=1e-9)
    if name == "cosine":
        assert found[:STEPS] == pytest.approx([half_cosine(LR, end, t / STEPS) for t in range(STEPS)], abs=1e-9)


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


@pytest.mark.parametrize("best", [-100.0, 0.0, 0.9, 40.0])
@pytest.mark.parametrize("mode", ["max", "min"])
def test_a_plateau_knows_better_from_worse_on_both_sides_of_zero(compose: Compose, mode: str, best: float) -> None:
    schedule = build(compose("scheduler=plateau", f"task.mode={mode}", "scheduler.scheduler.patience=0").scheduler)
    better = 1e-6 if mode == "max" else -1e-6
    for change, share in ((better, 1.0), (0.0, 0.1), (-better, 0.1)):
        sgd = optimizer()
        plateau = schedule.attach(sgd, STEPS, EPOCHS)
        for value in (best, best + change):
            plateau.step(value)
        assert sgd.param_groups[0]["lr"] == pytest.approx(LR * share), change


@pytest.mark.parametrize("experiment", ["disk_mlp", "digits_features", "digits_gan"])
def test_a_plateau_of_no_validations_is_told_before_the_training(run_verb: Run, experiment: str) -> None:
    plateau = ["scheduler=plateau", "task.metric=val/loss", "task.mode=min", "trainer.limit_val_batches=0"]
    run = run_verb("train", f"experiment={experiment}", *plateau)
    assert (run.code, run.err) == (2, "trainer.limit_val_batches=0: scheduler=plateau needs val/loss\n")


@pytest.mark.parametrize("length", ["trainer.max_epochs=-1", "trainer.max_epochs=100"])
@pytest.mark.parametrize("name", ["cosine", "warmup_cosine"])
def test_a_schedule_of_epochs_ends_with_a_run_that_steps_end(run_verb: Run, name: str, length: str) -> None:
    of_epochs = [f"scheduler={name}", "scheduler.interval=epoch", "trainer.limit_train_batches=2", "test=false"]
    run = run_verb("train", "network.hidden=[4]", *of_epochs, length, "trainer.max_steps=9")  # four and a half epochs
    assert run.code == 0, run.err
    (schedule,) = torch.load(run.folder / "checkpoints/last.ckpt", weights_only=True)["lr_schedulers"]
    found = {"cosine": half_cosine(0.001, 0, 4 / 5), "warmup_cosine": half_cosine(0.001, 0, 3 / 4)}
    assert schedule["_last_lr"] == pytest.approx([found[name]], rel=1e-6)


def test_a_run_too_short_for_its_schedule_is_told(compose: Compose) -> None:
    schedule = build(compose("scheduler=one_cycle").scheduler)
    with pytest.raises(InputError, match=r"^scheduler\.scheduler: divides by 0 in a run of 4 steps; give"):
        schedule.attach(optimizer(), 4, 1)


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
