"""What is typed on resuming holds from the next step on, or is refused; nothing is ignored."""

import json
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import lightning.pytorch as lightning
import pytest
from lightning.pytorch.callbacks import Callback

from atelier.compose.build import build_data, build_task
from atelier.compose.targets import plain
from atelier.errors import InputError
from atelier.runs.changes import check_changes, check_length, differences, has_ended
from atelier.runs.folder import RunFolder
from atelier.runs.interrupt import StopRequest
from atelier.runs.keeper import Keeper
from atelier.runs.manifest import Manifest
from atelier.runs.terminal import quieten_lightning

Compose = Callable[..., Any]
STEPS = 3  # of an epoch
BEFORE = ["network.hidden=[4]", "data.batch_size=16", "optimizer=adam", "optimizer.lr=0.01"]


class Rates(Callback):
    """The first group's settings at each step."""

    def __init__(self) -> None:
        self.seen: list[dict[str, Any]] = []

    def on_train_batch_start(self, trainer: lightning.Trainer, *args: Any) -> None:
        group = trainer.optimizers[0].param_groups[0]
        self.seen.append({key: value for key, value in group.items() if key not in ("params", "initial_lr")})


@pytest.fixture
def fit(compose: Compose, tmp_path: Path) -> Callable[..., list[dict[str, Any]]]:
    """`fit(folder, "optimizer.lr=0.1", epochs=2)`: train, from the folder's last.ckpt if there is one; the settings."""

    def run(name: str, *overrides: str, epochs: int) -> list[dict[str, Any]]:
        quieten_lightning()
        folder = RunFolder(tmp_path / name)
        folder.best.parent.mkdir(parents=True, exist_ok=True)
        config = compose(*overrides, f"trainer.max_epochs={epochs}")
        rates, task = Rates(), build_task(config)
        manifest = Manifest(folder.manifest, {})
        manifest.update(seconds={})
        keeper = Keeper(folder, manifest, plain(config), StopRequest())
        trainer = lightning.Trainer(
            accelerator="cpu",
            max_epochs=epochs,
            limit_train_batches=STEPS,
            limit_val_batches=1,
            callbacks=[rates, keeper],
            logger=False,
            num_sanity_val_steps=0,
            enable_progress_bar=False,
            enable_model_summary=False,
        )
        last = folder.last if folder.last.exists() else None
        trainer.fit(task, build_data(config), ckpt_path=last, weights_only=True)
        return rates.seen

    return run


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (["scheduler=one_cycle"], ["scheduler=one_cycle", "optimizer.lr=0.5"]),
        (["scheduler=cosine"], ["scheduler=cosine"]),  # longer
        (["scheduler=cosine"], ["scheduler=warmup_cosine", "optimizer.weight_decay=0.1"]),
        (["scheduler=exponential"], ["scheduler=exponential", "scheduler.scheduler.gamma=0.5"]),
        (["scheduler=step"], ["scheduler=constant", "optimizer=adamw"]),
        ([], ["optimizer=sgd_momentum", "scheduler=step", "scheduler.scheduler.step_size=1"]),
        ([], ["optimizer=adam", "++optimizer.amsgrad=true"]),
        (["task=scratch", "network=scratch_mlp"], ["task=scratch", "network=scratch_mlp", "optimizer.lr=0.5"]),
    ],
    ids=lambda overrides: " ".join(overrides) or "constant",
)
def test_a_resumed_run_has_the_settings_of_one_that_always_had_them(
    fit: Callable[..., list[dict[str, Any]]], before: list[str], after: list[str]
) -> None:
    fit("run", *BEFORE, *before, epochs=1)
    merged = [one for one in BEFORE if one.split("=")[0] not in {new.split("=")[0] for new in after}] + after
    resumed, whole = fit("run", *merged, epochs=3), fit("whole", *merged, epochs=3)
    assert len(resumed) == 2 * STEPS
    assert resumed == whole[STEPS:]


def test_what_changes_is_told_and_recorded_once(
    fit: Callable[..., list[dict[str, Any]]], capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    fit("run", *BEFORE, epochs=1)
    assert "From step" not in capsys.readouterr().out
    fit("run", *BEFORE[:-1], "optimizer.lr=0.1", epochs=2)
    told = capsys.readouterr().out
    for words in (f"From step {STEPS + 1} on", "optimizer.lr 0.01 → 0.1", "trainer.max_epochs 1 → 2"):
        assert words in told
    changes = json.loads((tmp_path / "run" / "run.json").read_text())["changes"]
    assert changes == {str(STEPS + 1): {"optimizer.lr": [0.01, 0.1], "trainer.max_epochs": [1, 2]}}
    fit("run", *BEFORE[:-1], "optimizer.lr=0.1", epochs=2)
    assert "From step" not in capsys.readouterr().out, "nothing is left to do, and nothing changed"


def test_a_plateau_keeps_its_rate_and_its_patience_unless_a_rate_is_typed(
    fit: Callable[..., list[dict[str, Any]]],
) -> None:
    plateau = [*BEFORE, "scheduler=plateau", "scheduler.scheduler.patience=0", "task.mode=min"]  # accuracy is no loss:
    first = fit("run", *plateau, epochs=4)  # each epoch that is better counts as worse, and lowers the rate
    assert first[-1]["lr"] < first[0]["lr"]
    longer = fit("run", *plateau, "scheduler.scheduler.factor=0.5", "+scheduler.scheduler.min_lr=1e-9", epochs=5)
    assert longer[0]["lr"] in (first[-1]["lr"], pytest.approx(0.1 * first[-1]["lr"]))
    typed = fit("run", *plateau[:3], *plateau[4:], "optimizer.lr=0.7", epochs=6)
    assert typed[0]["lr"] == 0.7


# ---------------------------------------------------------------------- what cannot change

DONE = {"epochs": 28, "steps": 280}


@pytest.mark.parametrize("asked", [12, 27])
def test_a_run_is_never_shorter_than_it_is(asked: int) -> None:
    trainer = {"check_val_every_n_epoch": 1, "max_epochs": asked, "max_steps": -1}
    with pytest.raises(InputError, match=rf"trainer.max_epochs={asked}.* 28 epochs"):
        check_length(trainer, {}, DONE)
    steps = {"check_val_every_n_epoch": None, "max_epochs": -1, "max_steps": 10 * asked}
    with pytest.raises(InputError, match=rf"trainer.max_steps={10 * asked}.* 280 steps"):
        check_length(steps, {}, DONE)


@pytest.mark.parametrize("asked", [28, 29, -1])
def test_a_run_may_be_as_long_or_longer(asked: int) -> None:
    check_length({"check_val_every_n_epoch": 1, "max_epochs": asked}, {}, DONE)


def test_a_change_of_a_run_that_is_over_needs_more_epochs() -> None:
    trainer = {"check_val_every_n_epoch": 1, "max_epochs": 28}
    with pytest.raises(InputError, match=r"optimizer.lr=0.5.*trainer.max_epochs=29"):
        check_length(trainer, {"optimizer.lr": (0.1, 0.5)}, DONE)
    check_length({**trainer, "max_epochs": 29}, {"optimizer.lr": (0.1, 0.5)}, DONE)


@pytest.mark.parametrize(("patience", "goes_on"), [((3, 4), True), ((3, None), True), ((3, 3), False), ((3, 2), False)])
def test_a_run_that_stopped_early_goes_on_with_more_patience(patience: tuple[int, Any], goes_on: bool) -> None:
    trainer, changes = {"check_val_every_n_epoch": 1, "max_epochs": 40}, {"optimizer.lr": (0.1, 0.5)}
    changed = changes | ({"trainer.patience": patience} if patience[0] != patience[1] else {})
    with nullcontext() if goes_on else pytest.raises(InputError, match=r"=.*; give a larger trainer.patience, too"):
        check_length(trainer, changed, {**DONE, "stopped_early": 28})


@pytest.mark.parametrize(
    "key",
    [
        *("seed", "data.fold", "data.split_seed", "data._target_", "task.metric", "initializer._target_"),
        *("features.crc32", "encoding.minute_weight", "task._target_", "task.mode"),
    ],
)
def test_what_a_run_began_with_stays(key: str) -> None:
    with pytest.raises(InputError, match=rf"{key}=2.*1"):
        check_changes({key: (1, 2)}, DONE, 0)


@pytest.mark.parametrize(("before", "after", "differ"), [([1], 1, False), ([0, 1], [2, 3], False), ([1], 2, True)])
def test_which_gpus_a_run_has_is_no_setting(before: Any, after: Any, differ: bool) -> None:
    """Another machine may have one only."""
    found = differences({"trainer": {"devices": before}}, {"trainer": {"devices": after}})
    assert bool(found) is differ


@pytest.mark.parametrize("key", ["data.batch_size", "trainer.devices", "trainer.num_nodes"])
def test_the_size_of_a_batch_changes_where_an_epoch_begins(key: str) -> None:
    check_changes({key: (1, 2)}, DONE, 0)
    with pytest.raises(InputError, match=rf"{key}=2.*1.*epoch 29.*trainer.max_epochs=29"):
        check_changes({key: (1, 2)}, DONE, 5)


def test_other_folders_are_no_difference() -> None:
    here = {"paths": {"data": "/here/data"}, "data": {"folder": "/here/data", "images": "/here/data/cats"}}
    there = {"paths": {"data": "/there"}, "data": {"folder": "/there", "images": "/there/cats"}}
    assert differences(here, there) == {}
    assert differences(here, {**there, "data": {"folder": "/there", "images": "/dogs"}}).keys() == {"data.images"}


@pytest.mark.parametrize(
    ("key", "old", "new"),
    [
        ("trainer.max_steps", 6, 12),  # 4 batches an epoch: the second was validated after 2, and its schedule stepped
        ("trainer.max_steps", 6, -1),
        ("trainer.max_time", "00:00:01:00", None),
        ("trainer.check_val_every_n_epoch", 1, None),
    ],
)
def test_a_run_of_epochs_keeps_what_could_end_it_within_one(key: str, old: Any, new: Any) -> None:
    with pytest.raises(InputError, match=rf"{key}={new}: the run began with {old} and keeps it"):
        check_changes({key: (old, new)}, {**DONE, "counts": "epochs"}, 0)
    if key != "trainer.check_val_every_n_epoch":
        check_changes({key: (old, new)}, {**DONE, "counts": "steps"}, 0)


@pytest.mark.parametrize(
    ("done", "ended"),
    [
        ({"status": "completed"}, True),
        ({"status": "failed", "epochs": 3, "steps": 30}, True),  # in its test
        ({"status": "interrupted", "epochs": 2, "steps": 25}, True),
        ({"status": "failed", "epochs": 2, "stopped_early": 2}, True),
        ({"status": "interrupted", "epochs": 2, "steps": 24}, False),
    ],
    ids=str,
)
def test_a_training_has_ended_that_has_nothing_left_to_do(done: dict[str, Any], ended: bool) -> None:
    assert has_ended({"max_epochs": 3, "max_steps": 25}, {"epochs": 0, "steps": 0, **done}) is ended
