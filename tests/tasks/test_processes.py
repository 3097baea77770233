"""Several processes: each goes on with its own sums of an unfinished epoch, and all measure the first one's network."""

import csv
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
import torch
import torch.nn.functional as F

import atelier
from atelier.compose.build import build_task

Compose = Callable[..., Any]
Run = Callable[..., Any]


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


# ---------------------------------------------------------------------- running statistics of batch norm


@pytest.mark.parametrize("processes", [1, 2])
def test_what_is_measured_is_the_first_processs_network(
    compose: Compose, monkeypatch: pytest.MonkeyPatch, processes: int
) -> None:
    def broadcast(buffer: torch.Tensor, src: int) -> None:
        assert src == 0
        buffer.fill_(7)

    monkeypatch.setattr(torch.distributed, "broadcast", broadcast)
    task = build_task(compose("network.hidden=[4]", "network.batch_norm=true"))
    state = SimpleNamespace(fn="fit")
    task._trainer = SimpleNamespace(world_size=processes, state=state, check_val_every_n_epoch=1)
    task.on_validation_epoch_start()
    assert {buffer.unique().tolist() == [7] for buffer in task.network.buffers()} == {processes == 2}


def test_gradients_without_autograd_are_the_mean_of_those_of_the_processes(compose: Compose) -> None:
    """The other process has a gradient of 0."""
    task = build_task(compose("experiment=disk_scratch"))
    summed = {"mean": lambda grad: grad / 2, "sum": lambda grad: grad}
    strategy = SimpleNamespace(reduce=lambda grad, reduce_op: summed[reduce_op](grad))
    for processes, expected in ((1, 6.0), (2, 3.0)):
        task._trainer = SimpleNamespace(world_size=processes, strategy=strategy)
        parameters = task.layers.parameters().values()
        for parameter in parameters:
            parameter.grad = torch.full_like(parameter.value, 6.0)
        task.average_gradients()
        assert {value for parameter in parameters for value in parameter.grad.unique().tolist()} == {expected}


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["scratch", "classifier"])
def test_two_processes_log_what_one_measures_of_the_checkpoint(run_process: Run, kind: str) -> None:
    """DDP shares no running statistics after steps of manual optimization, nor before a pass over the training set."""
    network = ["network=scratch_mlp", "network.batch_norm=true", f"task={kind}", "optimizer=sgd", "optimizer.lr=0.1"]
    steps = ["trainer.check_val_every_n_epoch=null", "trainer.val_check_interval=3", "trainer.max_steps=6"]
    more = ["task.clean_train_accuracy=true", "task.keep=last", "callbacks=none", "test=false", "trainer=ddp_cpu"]
    both = run_process("train", *network, *steps, *more)
    assert (both.code, both.err) == (0, "")
    rows = list(csv.DictReader(both.metrics.splitlines()))
    run = atelier.load(both.folder)
    for split, name in (("val", "val/loss"), ("train", "train/clean_loss")):
        logged = float([row[name] for row in rows if row[name]][-1])
        inputs, classes = run.data.sets[split][torch.arange(len(run.data.sets[split]))]
        with torch.no_grad():
            measured = F.cross_entropy(run.task(run.data.normalise(inputs)), classes).item()
        assert logged == pytest.approx(measured, rel=1e-5), name
