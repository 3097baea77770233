"""A task that steps its optimizers by itself: what it is given, and what it must not forget."""

import warnings
from collections.abc import Callable
from functools import partial
from types import SimpleNamespace
from typing import Any

import lightning.pytorch as lightning
import pytest
import torch
from omegaconf import DictConfig
from torch import Tensor, nn
from torch.optim import SGD
from torch.optim.lr_scheduler import LambdaLR, ReduceLROnPlateau
from torch.utils.data import DataLoader, TensorDataset
from torchmetrics import CatMetric, MeanMetric

from atelier.errors import InputError
from atelier.losses.penalty import none
from atelier.tasks.manual import ManualTask, leave_to_the_task
from atelier.tasks.schedule import Schedule
from atelier.tasks.sequence import SequencePredictor
from atelier.tasks.task import Task

HALVED = Schedule(partial(LambdaLR, lr_lambda=lambda step: 0.5**step), "step")


class Two(ManualTask):
    """Two layers, of which the second follows the first; `steps` says what a batch does."""

    def __init__(self, steps: str, schedule: Schedule = HALVED) -> None:
        network = nn.ModuleDict({"first": nn.Linear(2, 2), "second": nn.Linear(2, 2)})
        super().__init__(network, partial(SGD, lr=1.0), schedule, "train/loss", "min")
        self.steps = steps

    def training_step(self, batch: list[Tensor], batch_index: int) -> None:
        for step in self.steps:
            if step == "s":
                self.step_schedulers()
            else:
                number, network = int(step), list(self.network.children())[int(step)]
                with self.turn_of(number):
                    self.step_optimizer(number, network(batch[0]).square().mean())


def train(task: Task) -> lightning.Trainer:
    """Three batches."""
    quiet = {"logger": False, "enable_checkpointing": False, "enable_progress_bar": False}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about workers and logging, which are the run's affair
        trainer = lightning.Trainer(accelerator="cpu", max_epochs=1, enable_model_summary=False, **quiet)
        trainer.fit(task, DataLoader(TensorDataset(torch.ones(6, 2)), batch_size=2))
    return trainer


@pytest.mark.parametrize("steps", ["01s", "0s", "011s"])
def test_a_batch_is_one_step_of_the_run_and_of_each_schedule(steps: str) -> None:
    task = Two(steps)
    before = [network.weight.clone() for network in task.network.children()]
    trainer = train(task)
    assert trainer.global_step == 3
    assert [optimizer.param_groups[0]["lr"] for optimizer in trainer.optimizers] == [0.5**3, 0.5**3]
    moved = [not torch.equal(network.weight, was) for network, was in zip(task.network.children(), before, strict=True)]
    assert moved == [True, "1" in steps]


@pytest.mark.parametrize(
    ("steps", "message"),
    [
        ("01", r"^Two\.training_step: call self\.step_schedulers\(\)"),
        ("1s", r"^Two\.training_step: a batch made 0 steps .* call self\.step_optimizer\(0, loss\) once"),
        ("00s", r"^Two\.training_step: a batch made 2 steps .* call self\.step_optimizer\(0, loss\) once"),
    ],
)
def test_what_a_training_step_forgets_is_told(steps: str, message: str) -> None:
    for schedule in (HALVED, Schedule(None)):
        with pytest.raises(InputError, match=message):
            train(Two(steps, schedule))


def test_a_plateau_of_what_is_not_measured_is_told() -> None:
    """As of a validation with trainer.limit_val_batches=0."""
    told = r"^task\.metric=train/loss: scheduler=plateau needs it, and it is not measured; logged are: nothing$"
    with pytest.raises(InputError, match=told):
        train(Two("01s", Schedule(ReduceLROnPlateau)))


def test_clipping_is_never_left_out_in_silence() -> None:
    trainer = DictConfig({"gradient_clip_val": 1.0, "accumulate_grad_batches": 1, "strategy": "auto"})
    with pytest.raises(InputError, match=r"^trainer\.gradient_clip_val=1\.0: a\.Task does not clip"):
        leave_to_the_task(trainer, DictConfig({"_target_": "a.Task"}))
    leave_to_the_task(trainer, DictConfig({"_target_": "a.Task", "gradient_clip_val": 1.0}))
    assert trainer.gradient_clip_val is None, "Lightning's own would raise"
    trainer = DictConfig({"gradient_clip_val": 1.0, "gradient_clip_algorithm": "value", "accumulate_grad_batches": 1})
    with pytest.raises(InputError, match=r"^trainer\.gradient_clip_algorithm=value: this task clips by norm"):
        leave_to_the_task(trainer, DictConfig({"_target_": "a.Task", "gradient_clip_val": 1.0}))


@pytest.mark.parametrize(
    ("given", "devices", "taken"),
    [
        ("ddp", 1, "ddp_find_unused_parameters_true"),
        ("auto", 1, "auto"),
        ("auto", 2, "ddp_find_unused_parameters_true"),  # which Lightning would make plain ddp
        ("auto", [0, 1], "ddp_find_unused_parameters_true"),
        ("auto", [1], "auto"),
    ],
)
def test_processes_do_not_wait_for_what_the_other_optimizer_steps(given: str, devices: Any, taken: str) -> None:
    trainer = DictConfig({"gradient_clip_val": None, "accumulate_grad_batches": 1, "strategy": given})
    trainer.devices = devices
    leave_to_the_task(trainer, DictConfig({"_target_": "a.Task"}))
    assert trainer.strategy == taken


@pytest.mark.parametrize("strategy", ["fsdp", {"_target_": "lightning.pytorch.strategies.FSDPStrategy"}])
def test_fsdp_is_refused(strategy: Any) -> None:
    trainer = DictConfig({"gradient_clip_val": None, "accumulate_grad_batches": 1, "strategy": strategy})
    with pytest.raises(InputError, match=r"FSDP does not follow the steps of a\.Task; choose trainer=ddp"):
        leave_to_the_task(trainer, DictConfig({"_target_": "a.Task"}))


@pytest.mark.parametrize("kind", ["manual", "sequence"])
def test_the_norm_of_a_part_of_the_gradients_clips_none(kind: str) -> None:
    """With FSDP each process would clip by the norm of its own part."""
    strategy, plugin = SimpleNamespace(restore_checkpoint_after_setup=True), SimpleNamespace(scaler=None)
    sharded: Any = SimpleNamespace(strategy=strategy, precision_plugin=plugin, gradient_clip_val=0.5)
    sharded.gradient_clip_algorithm = None
    task: Any = Two("01s", HALVED)
    if kind == "sequence":
        given = {"network": nn.Linear(1, 1), "optimizer": SGD, "scheduler": Schedule(None)}
        task = SequencePredictor(none, metric="val/loss", mode="min", **given)
    task.gradient_clip_val, task._trainer = 0.5, sharded
    told = r"^trainer\.gradient_clip_val=0\.5: needs all weights in each process; choose trainer=ddp$"
    with pytest.raises(InputError, match=told):
        task.on_fit_start()
    sharded.gradient_clip_algorithm = "value"  # of each by itself
    task.on_fit_start()
    sharded.gradient_clip_algorithm = task.gradient_clip_val = sharded.gradient_clip_val = None
    task.on_fit_start()


class Measured(Task):
    """Metrics under any name, of any kind, in any place."""

    def __init__(self) -> None:
        super().__init__(nn.Linear(1, 1), SGD, Schedule(None), "val/loss", "min")
        self.seen, self.all, self.parts = MeanMetric(), CatMetric(), nn.ModuleDict({"a": MeanMetric()})

    @property
    def values(self) -> list[Any]:
        return [metric.compute().tolist() for metric in (self.seen, self.all, self.parts["a"])]


@pytest.mark.parametrize("stage", ["fit", "validate", "test", None])
def test_training_alone_goes_on_from_the_weights_beside_an_average(stage: Any) -> None:
    """All else opens the average, whichever way Lightning is given the checkpoint."""
    task, average, raw = Measured(), torch.tensor([1.0]), torch.tensor([2.0])
    task.trainer = lightning.Trainer(accelerator="cpu", logger=False)
    task.trainer.state.fn = stage
    metrics = [{"seen": {"mean_value": torch.tensor(5.0), "weight": torch.tensor(2.0)}}]
    checkpoint = {"state_dict": {"network.bias": average}, "raw_weights": {"network.bias": raw}, "metrics": metrics}
    task.on_load_checkpoint(checkpoint)
    assert checkpoint["state_dict"]["network.bias"] is (raw if stage == "fit" else average)
    assert task.seen.update_called == (stage == "fit")


def test_whatever_an_epoch_has_measured_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    task, resumed = Measured(), Measured()
    trainer: Callable[[], Any] = lambda: lightning.Trainer(accelerator="cpu", logger=False)  # noqa: E731
    for one in (task, resumed):
        one.trainer = trainer()
    for metric in (task.seen, task.all, task.parts["a"]):
        metric.update(torch.tensor([1.0, 2.0]))
    kept: dict[str, Any] = {}
    task.on_save_checkpoint(kept)
    monkeypatch.setattr(resumed.trainer.state, "fn", "fit")
    resumed.on_load_checkpoint(kept)
    assert resumed.values == task.values == [1.5, [1.0, 2.0], 1.5]
    resumed.all.update(torch.tensor([3.0]))
    assert resumed.values[1] == [1.0, 2.0, 3.0]
    sums = kept["metrics"][0]["seen"]["mean_value"]
    task.seen.update(torch.tensor(9.0))
    assert sums.item() == 3, "what was kept stays"
