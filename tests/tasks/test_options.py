"""What every task takes: stated once, in `Task`, and checked in whatever way a task hands it on."""

import re
from collections.abc import Callable
from typing import Any, Literal

import pytest
from omegaconf import OmegaConf
from torch import nn
from torch.optim import SGD, Optimizer

from atelier.arguments import signature_of
from atelier.compose.targets import check
from atelier.errors import InputError
from atelier.tasks.schedule import Schedule
from atelier.tasks.task import Task

OURS = [
    *("classifier.Classifier", "clock.ClockReader", "gan.GAN", "pairs.PairComparer", "scratch.Scratch"),
    *("sequence.SequencePredictor", "vae.VAE"),
]


class HandsOn(Task):
    def __init__(self, weight: float, **options: Any) -> None:
        super().__init__(**options)
        self.weight = weight


class SpellsOut(Task):
    def __init__(
        self,
        network: nn.Module,
        optimizer: Callable[..., Optimizer],
        scheduler: Schedule,
        weight: float,
        metric: str,
        mode: Literal["min", "max"],
        keep: Literal["best", "last"] = "best",
        average: float | None = None,
    ) -> None:
        super().__init__(network, optimizer, scheduler, metric, mode, keep, average)
        self.weight = weight


def test_a_task_may_hand_them_on_or_spell_them_out() -> None:
    given: dict[str, Any] = {"optimizer": SGD, "scheduler": Schedule(None), "metric": "val/loss", "mode": "min"}
    tasks = [kind(network=nn.Linear(1, 1), weight=0.5, **given, keep="last") for kind in (HandsOn, SpellsOut)]
    assert all(vars(task)[key] == value for task in tasks for key, value in {**given, "keep": "last"}.items())
    (some, _, takes_any), (spelt, _, _) = signature_of(HandsOn), signature_of(SpellsOut)
    assert (some.keys(), takes_any) == (spelt.keys(), False)


@pytest.mark.parametrize("name", OURS)
@pytest.mark.parametrize(
    ("key", "value", "told"),
    [
        ("keep", "never", "{} takes one of: best, last"),
        ("mode", 5, "{} takes one of: min, max"),
        ("metric", None, "{} takes text"),
        ("kep", "last", "{} has no 'kep'; choose from: keep, "),
    ],
)
def test_what_they_cannot_be_is_told_of_each_task(name: str, key: str, value: Any, told: str) -> None:
    config = OmegaConf.create({"task": {"_target_": f"atelier.tasks.{name}", key: value}})
    with pytest.raises(InputError, match=rf"^task\.{key}.*: " + re.escape(told.format(name.partition(".")[2]))):
        check(config)


@pytest.mark.parametrize(
    ("name", "key", "value"),
    [("gan.GAN", "network", None), ("vae.VAE", "network", None), ("scratch.Scratch", "label_smoothing", 0.1)],
)
def test_what_a_task_decides_by_itself_is_refused(name: str, key: str, value: Any) -> None:
    with pytest.raises(InputError, match=rf"^task\.{key}"):
        check(OmegaConf.create({"task": {"_target_": f"atelier.tasks.{name}", key: value}}))
