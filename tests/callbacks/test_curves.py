"""The curves that a run draws at its end: of what it counts, with its best epoch or step, also if that is the last."""

import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from atelier.callbacks import adversarial_losses, curves
from atelier.callbacks.adversarial_losses import AdversarialLosses
from atelier.callbacks.curves import Curves

Run = Callable[..., Any]
SMALL = ["network.hidden=[8]", "trainer=cpu", "trainer.max_epochs=2", "trainer.limit_train_batches=8", "test=false"]


@pytest.mark.parametrize(
    "overrides",
    [
        [],
        ["task.metric=train/loss", "task.mode=min"],
        ["trainer.check_val_every_n_epoch=null", "trainer.val_check_interval=4"],
    ],
    ids=["validation", "training", "steps"],
)
def test_the_curves_know_the_best_of_the_last_validation(
    run_verb: Run, monkeypatch: pytest.MonkeyPatch, overrides: list[str]
) -> None:
    seen: list[dict[str, Any]] = []
    monkeypatch.setattr(
        curves, "draw_curves", lambda run, unit: seen.append(json.loads((Path(run) / "run.json").read_text()))
    )
    run = run_verb("train", *SMALL, *overrides)
    (then,) = seen
    assert run.manifest["objective"]["best_step"] == 16, "the last step is the best"
    for key in ("best", "best_epoch", "best_step"):
        assert then["objective"][key] == run.manifest["objective"][key]


@pytest.mark.parametrize(("counts_steps", "unit"), [(True, "step"), (False, "epoch")])
def test_curves_are_of_what_the_run_counts_also_if_it_is_interrupted(
    counts_steps: bool, unit: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[str] = []
    monkeypatch.setattr(curves, "draw_curves", lambda run, unit: seen.append(f"curves of {run}, {unit}"))
    monkeypatch.setattr(adversarial_losses, "draw_losses", lambda run, unit: seen.append(f"losses of {run}, {unit}"))
    trainer: Any = SimpleNamespace(is_global_zero=True, default_root_dir="run")
    task = SimpleNamespace(counts_steps=counts_steps)
    Curves().on_train_end(trainer, task)
    AdversarialLosses().on_train_end(trainer, task)
    Curves().on_exception(trainer, task, KeyboardInterrupt())
    assert seen == [f"{kind} of run, {unit}" for kind in ("curves", "losses", "curves")]
