"""A run that ends when its metric has stopped improving, and that ends there also if it is stopped or killed before."""

import itertools
from pathlib import Path
from typing import Any

import lightning.pytorch as lightning
import pytest
import torch
from torch import nn

from atelier.callbacks.patience import Patience
from atelier.data.loader import BatchSampler, ResumableLoader, TensorSet
from atelier.errors import InputError
from atelier.runs.folder import RunFolder, create
from atelier.runs.interrupt import Interrupted, StopRequest
from atelier.runs.keeper import Keeper
from atelier.runs.manifest import Manifest
from atelier.runs.terminal import quieten_lightning

NAN = float("nan")
BATCHES = 3  # of an epoch
QUIET: dict[str, Any] = {
    **dict.fromkeys(("logger", "enable_progress_bar", "enable_model_summary", "use_distributed_sampler"), False),
    **{"accelerator": "cpu", "devices": 1, "num_sanity_val_steps": 0},
}
EPOCHS = {"max_epochs": 6}
STEPS = {"max_epochs": -1, "max_steps": 12, "check_val_every_n_epoch": None, "val_check_interval": 2}


class Told(lightning.LightningModule):
    """Each validation has the value that it is told."""

    def __init__(self, values: list[float], counts_steps: bool, metric: str = "val/value", keep: str = "best") -> None:
        super().__init__()
        torch.manual_seed(0)
        self.network, self.values, self.counts_steps = nn.Linear(1, 1), values, counts_steps
        self.metric, self.mode, self.keep = metric, "max", keep

    def training_step(self, batch: Any, batch_index: int) -> Any:
        return self.network(batch[0]).square().mean()

    def log_steps(self) -> None:
        """It logs in validation only."""

    def number(self) -> int:
        return self.trainer.global_step // 2 - 1 if self.counts_steps else self.trainer.current_epoch

    def validation_step(self, batch: Any, batch_index: int) -> None:
        self.log("val/value", self.values[self.number()], batch_size=1)

    def on_train_epoch_end(self) -> None:
        if self.metric.startswith("train/"):
            self.log(self.metric, self.values[self.trainer.current_epoch])

    def configure_optimizers(self) -> Any:
        return torch.optim.SGD(self.parameters(), lr=0.1)


class Data(lightning.LightningDataModule):
    def account(self) -> tuple[dict[str, Any], list[str]]:
        return {}, []

    def train_dataloader(self) -> ResumableLoader:
        return self.loader(train=True)

    def val_dataloader(self) -> ResumableLoader:
        return self.loader(train=False)

    def loader(self, train: bool) -> ResumableLoader:
        numbers = torch.arange(float(BATCHES))[:, None]
        return ResumableLoader(
            TensorSet(numbers, numbers, torch.arange(BATCHES)), BatchSampler(BATCHES, 1, train=train)
        )


def fit(folder: RunFolder, task: Told, patience: int, stop: StopRequest | None = None, **options: Any) -> None:
    """Fit as a run does, from its last checkpoint if there is one."""
    manifest = Manifest(folder.manifest, {"stopped_early": None})
    callback = Patience(patience, lambda done: manifest.update(stopped_early=done))
    keeper = Keeper(folder, manifest, {"save_every": 0, "train": True}, stop or StopRequest())
    trainer = lightning.Trainer(**{**QUIET, "default_root_dir": folder.path, **options}, callbacks=[callback, keeper])
    try:
        trainer.fit(task, Data(), ckpt_path=folder.last if folder.last.exists() else None, weights_only=True)
    finally:
        keeper.stop.release()


def told(folder: RunFolder) -> dict[str, Any]:
    manifest = Manifest.read(folder.manifest).content
    manifest.pop("steps_per_second")
    weights = torch.load(folder.last, weights_only=True)["state_dict"]
    return {**manifest, "weights": {name: value.tolist() for name, value in weights.items()}}


@pytest.fixture(autouse=True)
def _quiet() -> None:
    quieten_lightning()


@pytest.mark.parametrize(
    ("values", "patience", "done", "best"),
    [
        ([1, 2, 2, 1, 3, 4], 2, 4, 2),
        ([1, 2, 2, 3, 3, 3], 2, 6, 4),  # with the last epoch: nothing is left out
        ([1, 2, 3, 4, 5, 6], 1, 6, 6),
        ([3, NAN, NAN, 4, 5, 6], 2, 3, 1),
        ([NAN, NAN, 3, 4, 5, 6], 2, 2, None),
        ([NAN, 3, NAN, 4, 5, 6], 2, 6, 6),
        ([2, 1, 1, 1, 1, 3], 4, 5, 1),
    ],
)
def test_it_ends_after_so_many_validations_without_a_better_value(
    tmp_path: Path, values: list[float], patience: int, done: int, best: int | None, capsys: Any
) -> None:
    folder = create(tmp_path, "toy")
    fit(folder, Told(values, False), patience, **EPOCHS)
    found = told(folder)
    early = done < len(values)
    assert (found["epochs"], found["stopped_early"]) == (done, done if early else None)
    line = capsys.readouterr().out
    assert line.startswith(f"Stopped early after epoch {done}: {patience} validation") is early
    assert not early or (f"at epoch {best};" if best else "never a number;") in line
    fit(folder, Told(values, False), patience, **EPOCHS)
    assert told(folder) == found, "nothing is left to do"


@pytest.mark.parametrize(
    ("values", "minimum", "done"),
    [
        ([2, 1, 1, 3, 4, 5], 4, 6),  # better again before the minimum
        ([2, 1, 1, 1, 1, 3], 4, 4),
        ([2, 1, 3, 1, 1, 4], 5, 5),
        ([2, 1, 1, 3, 4, 5], 2, 3),
    ],
)
@pytest.mark.parametrize("by_steps", [False, True])
def test_it_ends_after_the_minimum_alone(
    tmp_path: Path, values: list[float], minimum: int, done: int, by_steps: bool
) -> None:
    folder = create(tmp_path, "toy")
    unit, each, limits = ("steps", 2, STEPS) if by_steps else ("epochs", 1, EPOCHS)  # of a validation
    fit(folder, Told(values, by_steps), 2, **limits, **{f"min_{unit}": each * minimum})
    assert told(folder)[unit] == each * done
    assert told(folder)["stopped_early"] == (each * done if done < len(values) else None)


@pytest.mark.parametrize(("values", "done"), [([1, 2, 2, 1, 3, 4], 4), ([NAN, NAN, 3, 4, 5, 6], 2)])
def test_it_ends_so_also_where_the_last_network_is_kept(tmp_path: Path, values: list[float], done: int) -> None:
    folder = create(tmp_path, "toy")
    fit(folder, Told(values, False, keep="last"), 2, **EPOCHS)
    assert (told(folder)["epochs"], told(folder)["stopped_early"]) == (done, done)


@pytest.mark.parametrize(
    ("metric", "options", "epochs"),
    [
        ("train/value", {}, 4),
        ("train/value", {"limit_val_batches": 0}, 4),
        ("val/value", {"check_val_every_n_epoch": 2}, 6),
        ("val/value", {"val_check_interval": 1}, 1),  # three validations an epoch, which it ends
    ],
    ids=str,
)
def test_what_counts_is_each_value_of_the_metric(
    tmp_path: Path, metric: str, options: dict[str, Any], epochs: int
) -> None:
    folder = create(tmp_path, "toy")
    fit(folder, Told([1, 2] + [2] * 10, False, metric), 2, **{"max_epochs": 12, **options})
    assert (told(folder)["epochs"], told(folder)["steps"]) == (epochs, epochs * BATCHES)


@pytest.mark.parametrize("options", [EPOCHS, STEPS], ids=["epochs", "steps"])
def test_a_run_that_is_stopped_in_any_step_ends_where_one_ends_that_is_not(
    tmp_path: Path, options: dict[str, Any]
) -> None:
    values, by_steps = [1.0, 2.0, 1.0, NAN, 3.0, 4.0], options is STEPS
    whole = create(tmp_path, "toy")
    fit(whole, Told(values, by_steps), 2, **options)
    assert told(whole)["stopped_early"] == (8 if by_steps else 4)
    for step in range(1, told(whole)["steps"] + 1):
        folder, task, stop = create(tmp_path, "toy"), Told(values, by_steps), StopRequest()

        def stopping(batch: Any, index: int, task: Any = task, stop: Any = stop, step: int = step) -> Any:
            stop.received = 15 if task.trainer.global_step == step - 1 else stop.received
            return Told.training_step(task, batch, index)

        task.training_step = stopping  # type: ignore[method-assign]
        try:
            fit(folder, task, 2, stop, **options)
        except Interrupted:
            fit(folder, Told(values, by_steps), 2, **options)
        assert told(folder) == told(whole), f"stopped in step {step}"


@pytest.mark.parametrize(
    "options", [EPOCHS, STEPS, pytest.param({**EPOCHS, "val_check_interval": 2}, marks=pytest.mark.slow)], ids=str
)
def test_a_run_that_is_killed_after_any_of_its_checkpoints_ends_where_one_ends_that_is_not(
    tmp_path: Path, options: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """After the last of them it is tested: whoever resumes it then trains no more."""
    values, by_steps, save = [1.0, 2.0, 1.0, NAN, 3.0, 4.0], options is STEPS, Keeper.save
    whole, saves = create(tmp_path, "toy"), itertools.count(1)
    number = 0
    with monkeypatch.context() as patch:
        patch.setattr(Keeper, "save", lambda *args: (next(saves), save(*args)))
        fit(whole, Told(values, by_steps), 2, **options)
    for number in range(1, next(saves)):
        folder, left = create(tmp_path, "toy"), itertools.count(1)

        def killed(*args: Any, left: Any = left, number: int = number) -> None:
            save(*args)
            if next(left) == number:
                raise InputError("the machine ends")

        with monkeypatch.context() as patch:
            patch.setattr(Keeper, "save", killed)
            with pytest.raises(InputError):
                fit(folder, Told(values, by_steps), 2, **options)
        fit(folder, Told(values, by_steps), 2, **options)
        assert told(folder) == told(whole), f"killed after checkpoint {number}"
    assert number > 4


@pytest.mark.parametrize("options", [EPOCHS, STEPS], ids=["epochs", "steps"])
def test_with_more_patience_it_goes_on_as_if_it_had_had_it(tmp_path: Path, options: dict[str, Any]) -> None:
    values, by_steps = [1.0, 2.0, 1.0, NAN, 3.0, 4.0], options is STEPS
    first, whole = create(tmp_path, "toy"), create(tmp_path, "toy")
    fit(first, Told(values, by_steps), 2, **options)
    before = told(first)
    fit(first, Told(values, by_steps), 2, **{**options, "max_steps": 18, "max_epochs": 9 if not by_steps else -1})
    assert told(first) == before, "a longer run would have ended there, too"
    for folder in (first, whole):
        fit(folder, Told(values, by_steps), 3, **options)
    assert {**told(first), "stopped_early": None} == told(whole), "run.json is reset by the run"
    assert told(whole)["steps"] > before["steps"]
