"""The norm of all weights after every update, against the weights themselves."""

import csv
import math
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from lightning.pytorch.strategies import FSDPStrategy
from torch import nn

from atelier.callbacks.weight_norms import WeightNorms, norm
from atelier.errors import InputError

Run = Callable[..., Any]
SETTING = ["network.hidden=[8]", "network.dropout=0.3", "trainer=cpu", "callbacks=weight_norms", "test=false"]


def squares(network: nn.Module) -> float:
    return sum(value * value for weight in network.parameters() for value in weight.detach().flatten().tolist())


def norms(folder: Path) -> list[tuple[int, float]]:
    rows = csv.DictReader((folder / "figures" / "weight_norms.csv").read_text().splitlines())
    return [(int(row["update"]), float(row["norm"])) for row in rows]


def test_the_norm_is_the_root_of_all_squares() -> None:
    network = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4))
    assert norm(list(network.parameters())).item() == pytest.approx(math.sqrt(squares(network)))


def test_frozen_weights_count_and_those_outside_of_the_network_do_not() -> None:
    task: Any = nn.Module()
    task.network, task.features = nn.Sequential(nn.Linear(3, 4), nn.Linear(4, 2)), nn.Linear(3, 4)
    task.network[0].requires_grad_(False)
    trainer: Any = SimpleNamespace(global_step=0)
    callback = WeightNorms()
    callback.on_train_start(trainer, task)
    assert callback.norms.tolist() == pytest.approx([math.sqrt(squares(task.network))])


def test_the_norm_of_many_weights_does_not_drift() -> None:
    """In 32 bits it comes out one part in a hundred too small."""
    weights = [torch.full((16_000_000,), 0.25)]
    assert norm(weights).item() == pytest.approx(1000, rel=1e-9)


def test_the_file_goes_from_the_initial_weights_to_the_last(trained_digits: Any) -> None:
    found = norms(trained_digits.folder)
    assert [update for update, _ in found] == list(range(trained_digits.manifest["steps"] + 1))
    assert found[0][1] == pytest.approx(math.sqrt(squares(trained_digits.task().network)), rel=1e-5)
    assert found[-1][1] == pytest.approx(math.sqrt(squares(trained_digits.task("last").network)), rel=1e-5)


def test_each_epochs_last_norm_is_logged(trained_digits: Any) -> None:
    rows = [row for row in csv.DictReader(trained_digits.metrics.splitlines()) if row["train/weight_norm"]]
    found = dict(norms(trained_digits.folder))
    assert len(rows) == trained_digits.manifest["epochs"]
    for row in rows:
        assert float(row["train/weight_norm"]) == pytest.approx(found[int(row["step"]) + 1], rel=1e-6)


@pytest.mark.slow
def test_a_resumed_run_has_the_norms_of_one_that_never_stopped(run_verb: Run) -> None:
    whole = run_verb("train", *SETTING, "trainer.max_epochs=3")
    begun = run_verb("train", *SETTING, "trainer.max_epochs=1")
    resumed = run_verb("train", f"resume={begun.folder}", "trainer.max_epochs=3")
    assert (whole.code, begun.code, resumed.code) == (0, 0, 0), resumed.err
    assert norms(begun.folder) == norms(whole.folder)
    assert len(norms(whole.folder)) == 3 * whole.manifest["steps"] // 3 + 1


@pytest.mark.slow
def test_several_batches_of_one_update_have_one_norm(run_verb: Run) -> None:
    outcome = run_verb("train", *SETTING, "trainer.max_epochs=1", "trainer.accumulate_grad_batches=4")
    assert [update for update, _ in norms(outcome.folder)] == list(range(outcome.manifest["steps"] + 1))


@pytest.mark.slow
def test_a_run_that_counts_steps_logs_the_norm_with_its_validations(run_verb: Run) -> None:
    counted = ["trainer.max_steps=6", "trainer.max_epochs=-1"]
    checks = ["trainer.val_check_interval=3", "trainer.check_val_every_n_epoch=null"]
    outcome = run_verb("train", *SETTING, *counted, *checks)
    assert outcome.code == 0, outcome.err
    rows = [row for row in csv.DictReader(outcome.metrics.splitlines()) if row["train/weight_norm"]]
    found = dict(norms(outcome.folder))
    assert [float(row["train/weight_norm"]) for row in rows] == pytest.approx([found[3], found[6]], rel=1e-6)


def test_weights_in_pieces_are_told() -> None:
    trainer: Any = SimpleNamespace(strategy=FSDPStrategy.__new__(FSDPStrategy))
    with pytest.raises(InputError, match=r"callbacks\.weight_norms: with trainer=fsdp no process has all weights"):
        WeightNorms().setup(trainer, None, "fit")


@pytest.mark.parametrize("fold", [1, 1000])
def test_an_interrupted_run_has_a_norm_of_each_update_since_the_callback_was_added(
    fold: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """It was added to a run that resumes after 7 updates, with two batches to each; the run is then resumed again."""
    monkeypatch.setattr("atelier.callbacks.weight_norms.FOLD", fold)
    (tmp_path / "figures").mkdir()
    logged: list[float] = []
    task: Any = SimpleNamespace(network=nn.Linear(1, 1, bias=False), counts_steps=False)
    task.log = lambda name, value: logged.append(value.item())
    trainer: Any = SimpleNamespace(global_step=7, is_global_zero=True, default_root_dir=str(tmp_path))
    begun, resumed = WeightNorms(), WeightNorms()
    begun.on_train_start(trainer, task)
    for update in (7, 8, 8, 9):
        trainer.global_step = update
        task.network.weight.data.fill_(update)
        begun.on_train_batch_end(trainer, task, None, None, 0)
        begun.on_train_epoch_end(trainer, task)
    resumed.load_state_dict(begun.state_dict())
    resumed.on_train_start(trainer, task)
    resumed.on_train_batch_end(trainer, task, None, None, 0)
    resumed.on_exception(trainer, task, KeyboardInterrupt())
    assert [update for update, _ in norms(tmp_path)] == [7, 8, 9]
    assert [norm for _, norm in norms(tmp_path)][1:] == logged[1::2] == [8, 9]


def test_many_norms_are_kept_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    """Joined after every second here; what a checkpoint keeps goes on where it stopped."""
    monkeypatch.setattr("atelier.callbacks.weight_norms.FOLD", 2)
    callback = WeightNorms()
    for value in range(5):
        callback.recent.append(torch.tensor(float(value)))
        if len(callback.recent) == 2:
            callback.fold()
    assert callback.norms.tolist() == [0, 1, 2, 3, 4]
    other = WeightNorms()
    other.load_state_dict(callback.state_dict())
    other.recent.append(torch.tensor(5.0))
    assert other.norms.tolist() == [0, 1, 2, 3, 4, 5]
