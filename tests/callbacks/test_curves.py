"""The curves that a run draws at its end mark its best epoch or step, also if that is the last one."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from atelier.callbacks import curves

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
