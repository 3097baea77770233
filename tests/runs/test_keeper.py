"""A run that is stopped after any of its steps and resumed is the run that nothing stopped: Keeper with a toy task."""

import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import lightning.pytorch as lightning
import pytest
import torch
from lightning.pytorch.callbacks import Callback
from torch import nn
from torch.nn.utils import parameters_to_vector
from torch.optim.lr_scheduler import OneCycleLR, ReduceLROnPlateau, StepLR

from atelier.data.loader import BatchSampler, ResumableLoader, TensorSet
from atelier.runs.folder import RunFolder, create
from atelier.runs.interrupt import Interrupted, StopRequest
from atelier.runs.keeper import Keeper
from atelier.runs.manifest import Manifest
from atelier.runs.terminal import quieten_lightning

BATCHES, EPOCHS = 3, 3
NAN = float("nan")
QUIET: dict[str, Any] = {
    **dict.fromkeys(("logger", "enable_progress_bar", "enable_model_summary", "use_distributed_sampler"), False),
    **{"accelerator": "cpu", "devices": 1, "num_sanity_val_steps": 0},
}
COUNTING = {"max_epochs": -1, "max_steps": 8, "check_val_every_n_epoch": None, "val_check_interval": 2}


class Toy(lightning.LightningModule):
    """What could differ is random: the order of its batches, and dropout. Its optimizer and schedule have a state."""

    metric, mode, keep = "val/loss", "min", "best"

    def __init__(self, schedule: str, counts_steps: bool) -> None:
        super().__init__()
        self.network = nn.Sequential(nn.Linear(1, 8), nn.Dropout(0.5), nn.Linear(8, 1))
        self.schedule, self.counts_steps = schedule, counts_steps

    def training_step(self, batch: Any, batch_index: int) -> Any:
        loss = (self.network(batch[0]) - batch[1]).square().mean()
        self.log("train/loss", loss)
        return loss

    def log_steps(self) -> None:
        """Its losses are logged in the step itself."""

    def validation_step(self, batch: Any, batch_index: int) -> None:
        self.log("val/loss", (self.network(batch[0]) - batch[1]).square().mean(), batch_size=1)

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.Adam(self.parameters(), lr=0.1)
        schedules = {
            "step": lambda: StepLR(optimizer, 1, 0.5),
            "plateau": lambda: ReduceLROnPlateau(optimizer, patience=0, factor=0.5),
            "one_cycle": lambda: OneCycleLR(optimizer, 0.1, int(self.trainer.estimated_stepping_batches)),
        }
        interval = "step" if self.schedule == "one_cycle" else "epoch"
        return [optimizer], [{"scheduler": schedules[self.schedule](), "interval": interval, "monitor": "val/loss"}]


class Watching(Callback):
    """Notes each step and each validation with what was logged, and asks the run to stop in one of its steps."""

    def __init__(self, stop: StopRequest, step: int) -> None:
        self.stop, self.step = stop, step
        self.seen: list[tuple[str, int, float]] = []

    def on_train_batch_start(self, trainer: Any, *args: Any) -> None:
        if trainer.global_step == self.step - 1:
            self.stop.received = 15

    def on_train_batch_end(self, trainer: Any, *args: Any) -> None:
        self.seen.append(("step", trainer.global_step, trainer.callback_metrics["train/loss"].item()))

    def on_validation_end(self, trainer: Any, task: Any) -> None:
        self.seen.append(("validation", trainer.global_step, trainer.callback_metrics["val/loss"].item()))


class Data(lightning.LightningDataModule):
    def account(self) -> tuple[dict[str, Any], list[str]]:
        return {}, []

    def train_dataloader(self) -> ResumableLoader:
        return self.loader(train=True)

    def val_dataloader(self) -> ResumableLoader:
        return self.loader(train=False)

    def loader(self, train: bool) -> ResumableLoader:
        numbers = torch.arange(float(BATCHES))[:, None] / BATCHES
        sampler = BatchSampler(BATCHES, batch_size=1, train=train, shuffle=train)
        return ResumableLoader(TensorSet(numbers, numbers.sin(), torch.arange(BATCHES)), sampler)


def trained(path: Path, schedule: str, stop_at: int, first: Any = None, **options: Any) -> dict[str, Any]:
    """All that a run is, which is stopped in a step, once, and goes on: what it saw, its weights, what it keeps.

    Args:
        first: options with which it ends before it goes on, such as fewer steps.
    """
    folder = create(path, "toy", path / f"{stop_at} {first}")
    manifest = Manifest(folder.manifest, {"status": "running"})
    seen: list[Any] = []
    for part in range(2 if stop_at or first else 1):
        torch.manual_seed(part * 1000)  # who goes on is another process
        task, stop = Toy(schedule, counts_steps="max_steps" in options), StopRequest()
        keeper = Keeper(folder, manifest, {"save_every": 0, "train": True}, stop)
        watching = Watching(stop, 0 if part else stop_at)
        settings = {**QUIET, "max_epochs": EPOCHS, "default_root_dir": path, **options}
        settings |= {} if part else first or {}
        trainer = lightning.Trainer(**settings, callbacks=[watching, keeper])
        try:
            trainer.fit(task, Data(), ckpt_path=folder.last if part else None, weights_only=True)
        except Interrupted:
            assert part == 0
        finally:
            stop.release()
        seen += watching.seen
    weights = [parameters_to_vector(task.parameters()).tolist()]
    for file in (folder.best, folder.last):
        state = torch.load(file, weights_only=True)["state_dict"]
        weights.append({name: value.tolist() for name, value in state.items()})
    told = {key: manifest.content[key] for key in ("epochs", "steps", "objective")}
    return {"seen": seen, "weights": weights, "best": keeper.best, "told": told}


@pytest.mark.parametrize(
    ("schedule", "options", "steps"),
    [
        ("one_cycle", {}, EPOCHS * BATCHES),
        ("plateau", {"val_check_interval": 2}, EPOCHS * BATCHES),
        ("plateau", {"limit_train_batches": 2}, EPOCHS * 2),
        ("step", COUNTING, 8),
        ("step", {**COUNTING, "max_steps": 7}, 7),
    ],
    ids=str,
)
def test_a_run_stopped_after_any_step_goes_on_as_if_nothing_had_been(
    tmp_path: Path, schedule: str, options: dict[str, Any], steps: int
) -> None:
    quieten_lightning()
    whole = trained(tmp_path, schedule, 0, **options)
    assert [number for kind, number, _ in whole["seen"] if kind == "step"] == list(range(1, steps + 1))
    for step in range(1, steps + 1):
        assert trained(tmp_path, schedule, step, **options) == whole, f"stopped in step {step}"


@pytest.mark.parametrize(
    ("options", "first"),
    [
        ({}, {"max_epochs": 1}),
        ({"max_steps": 100}, {"max_epochs": 1}),
        (COUNTING, {"max_steps": 3}),  # an epoch
        (COUNTING, {"max_steps": 6}),  # which ends with a validation
        (COUNTING, {"max_steps": 4}),
        (COUNTING, {"max_steps": 5}),
    ],
    ids=str,
)
def test_a_run_that_has_ended_goes_on_to_be_longer_as_if_it_had_not(
    tmp_path: Path, options: dict[str, Any], first: dict[str, int]
) -> None:
    quieten_lightning()
    assert trained(tmp_path, "step", 0, first, **options) == trained(tmp_path, "step", 0, **options)


@pytest.mark.parametrize(("save_every", "saved"), [(0, [0, 3, 5, 6, 8]), (25, [0, 3, 6, 8])])
def test_the_last_checkpoint_is_as_old_as_asked_whenever_the_best_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, save_every: int, saved: list[int]
) -> None:
    """A step takes ten seconds, an epoch has three; a validation follows each second one, and shows the progress."""
    quieten_lightning()
    folder, save = create(tmp_path, "toy", tmp_path / "run"), Keeper.save
    manifest, found, shown = Manifest(folder.manifest, {}), list[int](), list[int]()

    def noting(keeper: Keeper, trainer: Any, path: Path) -> None:
        found.extend([trainer.global_step] * (path == folder.last))
        save(keeper, trainer, path)

    class Looking(Callback):
        def on_train_batch_start(self, trainer: Any, *args: Any) -> None:
            shown.append(manifest["steps"])

    monkeypatch.setattr(Keeper, "save", noting)
    keeper = Keeper(folder, manifest, {"save_every": save_every, "train": True}, StopRequest())
    settings = {**QUIET, **COUNTING, "default_root_dir": tmp_path, "callbacks": [keeper, Looking()]}
    trainer = lightning.Trainer(**settings)
    clock = SimpleNamespace(monotonic=lambda: 10 * trainer.global_step, perf_counter=time.perf_counter)
    monkeypatch.setattr("atelier.runs.keeper.time", clock)
    trainer.fit(Toy("step", counts_steps=True), Data())
    keeper.stop.release()
    assert (found, shown) == (saved, [0, 0, 2, 3, 4, 4, 6, 6])


def test_the_speed_of_a_resumed_run_is_of_the_steps_since(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    keeper = Keeper(RunFolder(tmp_path), Manifest(tmp_path / "run.json", {}), {}, StopRequest())
    keeper.started = (10.0, 100)
    monkeypatch.setattr("atelier.runs.keeper.time", SimpleNamespace(perf_counter=lambda: 14.0))
    trainer: Any = SimpleNamespace(is_global_zero=True, current_epoch=5, global_step=120)
    keeper.report(trainer)
    assert keeper.manifest["steps_per_second"] == 5


@pytest.mark.parametrize(
    ("resumed_at", "losses", "where"), [(0, [1.0, NAN, NAN], "11 and 20"), (20, [NAN, NAN], "21 and 30")]
)
def test_a_loss_that_is_not_finite_is_told_once_with_the_steps_since_it_was(
    tmp_path: Path, capsys: Any, monkeypatch: pytest.MonkeyPatch, resumed_at: int, losses: list[float], where: str
) -> None:
    monkeypatch.setattr("atelier.runs.keeper.resume_exactly", lambda trainer: None)
    keeper = Keeper(RunFolder(tmp_path), Manifest(tmp_path / "run.json", {}), {}, StopRequest())
    trainer: Any = SimpleNamespace(is_global_zero=True, global_rank=0, world_size=1, global_step=resumed_at)
    task = Toy("step", counts_steps=False)
    keeper.on_train_start(trainer, task)
    keeper.stop.release()
    for loss in losses:
        trainer.global_step += 10
        metrics = {"val/loss": NAN, "train/accuracy": NAN, "train/loss": loss}
        trainer.callback_metrics = {name: torch.tensor(value) for name, value in metrics.items()}
        keeper.on_train_epoch_end(trainer, task)
    assert capsys.readouterr().err == f"train/loss is nan between steps {where}; try a smaller optimizer.lr\n"


@pytest.mark.parametrize(("level", "named"), [(NAN, None), (1.0, "last"), (1.0, None)])
def test_a_test_of_the_last_checkpoint_is_forgotten_when_it_is_written_after_a_step(
    tmp_path: Path, level: float, named: str | None
) -> None:
    """Without a best one, or where the last is what is tested; not where it has the weights that were tested."""
    quieten_lightning()
    folder = create(tmp_path, "toy", tmp_path / "run")
    manifest = Manifest(folder.manifest, {})
    found: list[dict[str, Any]] = []

    class Level(Toy):
        def validation_step(self, batch: Any, batch_index: int) -> None:
            self.log("val/loss", torch.tensor(level), batch_size=1)  # never better than in the first epoch

    class Looking(Callback):
        def on_train_batch_start(self, trainer: Any, *args: Any) -> None:
            found.append(Manifest.read(folder.manifest).content)

    for epochs in (1, 2):
        config = {"save_every": 0, "train": True, "checkpoint": named}
        keeper = Keeper(folder, manifest, config, StopRequest())
        trainer = lightning.Trainer(
            **QUIET, max_epochs=epochs, default_root_dir=tmp_path, callbacks=[keeper, Looking()]
        )
        last = folder.last if epochs == 2 else None
        trainer.fit(Level("step", counts_steps=False), Data(), ckpt_path=last, weights_only=True)
        found.append(manifest.content)
        if epochs == 1:
            manifest.update(test={"loss": 1.0}, sureness={"spread": 2.0})
    tested = [one.get("test") for one in found]
    assert tested[BATCHES + 1 : -1] == [{"loss": 1.0}] * BATCHES, "last.ckpt is written before these, too"
    kept = level == 1.0 and named is None
    assert (found[-1]["test"], found[-1]["sureness"]) == (({"loss": 1.0}, {"spread": 2.0}) if kept else ({}, None))
