"""The metrics of an unfinished epoch, saved and loaded by several processes: each goes on with its own sums."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from atelier.compose.build import build_task

Compose = Callable[..., Any]


@pytest.fixture
def make(compose: Compose, monkeypatch: pytest.MonkeyPatch) -> Callable[[int, int], Any]:
    """`make(rank, processes)`: the task of a process, where the first process has a mean of 0.1 over 3 samples."""

    def gather(into: list[Any], own: Any) -> None:
        into[:] = [{"train_loss": {"total": torch.tensor(0.3).double(), "count": torch.tensor(3)}}, own]

    monkeypatch.setattr(torch.distributed, "all_gather_object", gather)

    def task(rank: int, processes: int) -> Any:
        made = build_task(compose("network.hidden=[4]"))
        made._trainer = SimpleNamespace(world_size=processes, global_rank=rank, state=SimpleNamespace(fn="fit"))
        return made

    return task


def saved(task: Any) -> dict[str, Any]:
    task.train_loss.update(torch.tensor(0.7), 5)
    checkpoint: dict[str, Any] = {}
    task.on_save_checkpoint(checkpoint)
    return checkpoint


@pytest.mark.parametrize(("rank", "total", "count"), [(0, 0.3, 3), (1, 3.5, 5)])
def test_each_process_goes_on_with_its_own_sums(make: Any, rank: int, total: float, count: int) -> None:
    checkpoint, task = saved(make(1, 2)), make(rank, 2)
    task.on_load_checkpoint(checkpoint)
    assert (task.train_loss.total.item(), task.train_loss.count.item()) == (pytest.approx(total), count)
    assert task.train_loss.total.dtype == torch.float64
    assert task.train_loss.update_called


def test_one_process_goes_on_with_its_sums(make: Any) -> None:
    checkpoint, task = saved(make(0, 1)), make(0, 1)
    task.on_load_checkpoint(checkpoint)
    assert task.train_loss.total.item() == pytest.approx(3.5)
    assert not task.train_accuracy.update_called


@pytest.mark.parametrize(("rank", "count"), [(0, 8), (1, 0)])
def test_the_sums_of_all_processes_that_an_earlier_version_saved_go_on_in_the_first(
    make: Any, rank: int, count: int
) -> None:
    task = make(rank, 2)
    earlier = {"train_loss": {"total": torch.tensor(3.8).double(), "count": torch.tensor(8)}}
    task.on_load_checkpoint({"metrics": earlier, "classes": None})
    assert task.train_loss.count.item() == count
    assert task.train_loss.update_called
