"""What a run that goes on with a changed setting keeps of its optimizer and its plateau, and what begins anew."""

from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch.optim import SGD
from torch.optim.lr_scheduler import ReduceLROnPlateau, StepLR

from atelier.runs.changes import Takeover

LOSSES = [5.0, 4.0, 4.0, 4.0, 4.0, 3.9, 3.9, 3.9, 3.9, 3.9, 3.9, 3.9]
PLATEAU = {"patience": 1, "cooldown": 2, "factor": 0.1}


def on(optimizer: SGD, scheduler: Any) -> Any:
    """A trainer with them, at the end of its first three epochs."""
    configs = [SimpleNamespace(scheduler=scheduler)]
    return SimpleNamespace(optimizers=[optimizer], lr_scheduler_configs=configs, global_step=30, current_epoch=3)


def sgd(lr: float = 1.0) -> SGD:
    return SGD([torch.nn.Parameter(torch.zeros(1))], lr=lr)


def rates(optimizer: SGD, scheduler: ReduceLROnPlateau, losses: list[float]) -> list[float]:
    found = []
    for loss in losses:
        scheduler.step(loss)
        found.append(optimizer.param_groups[0]["lr"])
    return found


@pytest.mark.parametrize("epochs", range(len(LOSSES)))
def test_a_plateau_goes_on_where_it_was_with_its_new_factor(epochs: int) -> None:
    whole = sgd()
    scheduler = ReduceLROnPlateau(whole, **PLATEAU)
    first = rates(whole, scheduler, LOSSES[:epochs])
    states = whole.state_dict(), scheduler.state_dict()
    scheduler.factor = 0.5
    wanted = rates(whole, scheduler, LOSSES[epochs:])
    assert len({*first, *wanted}) > 2, "the rate falls more than once"

    optimizer = sgd()
    again = ReduceLROnPlateau(optimizer, **{**PLATEAU, "factor": 0.5})
    takeover = Takeover({"scheduler": {"factor": 0.1}}, {"scheduler": {"factor": 0.5}})
    takeover.note(on(optimizer, again))
    optimizer.load_state_dict(states[0])
    again.load_state_dict(states[1])
    told = takeover.apply(on(optimizer, again), "epoch")
    assert told == "From step 31 on: scheduler.factor 0.1 → 0.5", "the rate itself is not changed"
    assert rates(optimizer, again, LOSSES[epochs:]) == wanted


def test_a_plateau_that_replaces_another_schedule_begins_with_the_rate_of_the_configuration() -> None:
    optimizer, before = sgd(), sgd()
    schedule = StepLR(before, 1, 0.1)
    before.step()
    schedule.step()
    plateau = ReduceLROnPlateau(optimizer)
    takeover = Takeover({"scheduler": {"_target_": "StepLR"}}, {"scheduler": {"_target_": "ReduceLROnPlateau"}})
    takeover.note(on(optimizer, plateau))
    optimizer.load_state_dict(before.state_dict())
    told = takeover.apply(on(optimizer, plateau), "epoch")
    assert optimizer.param_groups[0]["lr"] == 1
    assert told.endswith("; learning rate 0.1 → 1")


@pytest.mark.parametrize(
    ("key", "old", "new", "kept"),
    [
        *[(f"optimizer.{rate}", 0.1, 0.2, {"optimizer_states", "lr_schedulers"}) for rate in ("lr", "weight_decay")],
        ("optimizer.eps", 1e-8, 1e-6, {"optimizer_states", "lr_schedulers"}),
        ("optimizer.betas", [0.9, 0.99], [0.8, 0.99], {"optimizer_states", "lr_schedulers"}),
        ("optimizer.momentum", 0.0, 0.9, set()),
        ("optimizer._target_", "torch.optim.Adam", "torch.optim.AdamW", set()),
        ("scheduler._target_", "StepLR", "CosineAnnealingLR", {"optimizer_states"}),
        ("scheduler.gamma", 0.1, 0.5, {"optimizer_states", "lr_schedulers"}),
    ],
)
def test_only_what_does_not_fit_begins_anew(key: str, old: Any, new: Any, kept: set[str]) -> None:
    group, name = key.split(".")
    checkpoint: dict[str, Any] = {"optimizer_states": [{}], "lr_schedulers": [{}]}
    Takeover({group: {name: old}}, {group: {name: new}}).drop_what_does_not_fit(checkpoint)
    assert {part for part, states in checkpoint.items() if states} == kept
