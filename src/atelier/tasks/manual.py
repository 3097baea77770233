"""The base class of tasks with manual optimization, such as two networks with an optimizer each."""

from contextlib import AbstractContextManager
from typing import Any

from lightning.pytorch.core.optimizer import LightningOptimizer
from omegaconf import DictConfig, OmegaConf
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import ReduceLROnPlateau

from atelier.errors import InputError, not_logged
from atelier.tasks.task import Task


class ManualTask(Task):
    """Base class of tasks with manual optimization. The `training_step` of a subclass follows these rules:

    - `with self.turn_of(0)` surrounds the computations for the first optimizer.
    - `step_optimizer(0, loss)`, once for each batch, steps the first optimizer; `step_optimizer(1, loss)` steps the
      second, any number of times. A batch counts as one step of the run.
    - `step_schedulers()` is the last line, for schedulers of steps and of epochs.
    """

    automatic_optimization = False
    gradient_clip_val: float | None = None  # maximum norm of each optimizer's gradient; None: no clipping
    begun = 0  # the run's steps at the start of the batch
    scheduled = 0  # calls of `step_schedulers` in this batch

    def configure_optimizers(self) -> Any:
        """An optimizer and a scheduler for the network, or for each part of a network that is a ModuleDict."""
        parts = self.network.children() if isinstance(self.network, nn.ModuleDict) else [self.network]
        return self.with_schedulers(*(self.optimizer_of(part) for part in parts))

    def with_schedulers(self, *optimizers: Optimizer) -> Any:
        """The return value of `configure_optimizers`: the optimizers and their schedulers."""
        schedulers = [self.scheduler_of(optimizer) for optimizer in optimizers]
        return list(optimizers), [scheduler for scheduler in schedulers if scheduler is not None]

    def numbered(self, number: int) -> LightningOptimizer:
        """The optimizer with index `number` in `configure_optimizers`."""
        optimizers = self.optimizers()
        return optimizers[number] if isinstance(optimizers, list) else optimizers

    def turn_of(self, number: int) -> AbstractContextManager[None]:
        """Inside this context, only the parameters of optimizer `number` get gradients."""
        return self.toggled_optimizer(self.numbered(number))

    def step_optimizer(self, number: int, loss: Tensor) -> None:
        """Step optimizer `number` with the gradient of `loss`, a scalar."""
        optimizer = self.numbered(number)
        optimizer.zero_grad()
        self.manual_backward(loss)
        if number == 0:
            optimizer.step()
        else:  # Lightning's wrapper would count the batch a second time
            self.trainer.strategy.optimizer_step(optimizer.optimizer, do_nothing)

    def on_before_optimizer_step(self, optimizer: Optimizer) -> None:
        """Clip the gradients; Lightning has unscaled those of mixed precision."""
        if self.gradient_clip_val is not None:
            parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
            nn.utils.clip_grad_norm_(parameters, self.gradient_clip_val)

    def step_schedulers(self) -> None:
        """Step the schedulers that count steps."""
        self.scheduled += 1
        if self.scheduler.interval == "step":
            self.advance_schedulers()

    def advance_schedulers(self) -> None:
        """
        Raises:
            InputError: if a plateau scheduler's metric is not measured, as with trainer.limit_val_batches=0.
        """
        schedulers = self.lr_schedulers() or []
        for scheduler in schedulers if isinstance(schedulers, list) else [schedulers]:
            if not isinstance(scheduler, ReduceLROnPlateau):
                scheduler.step()
            elif (self.trainer.current_epoch + 1) % (self.trainer.check_val_every_n_epoch or 1) == 0:  # just validated
                measured = self.trainer.callback_metrics
                if self.metric not in measured:
                    needed = "scheduler=plateau needs it, and it is not measured"
                    raise InputError(not_logged(self.metric, needed, measured))
                scheduler.step(measured[self.metric])

    def on_train_batch_start(self, batch: Any, batch_index: int) -> None:
        self.begun, self.scheduled = self.trainer.global_step, 0

    def on_train_batch_end(self, outputs: Any, batch: Any, batch_index: int) -> None:
        """
        Raises:
            InputError: if `training_step` does not follow the rules of this class.
        """
        where, steps = f"{type(self).__name__}.training_step", self.trainer.global_step - self.begun
        if steps != 1:
            told = f"a batch made {steps} steps of the run"
            raise InputError(f"{where}: {told}; call self.step_optimizer(0, loss) once for each batch (docs/adding.md)")
        if self.scheduled != 1:
            raise InputError(f"{where}: call self.step_schedulers() as its last line (docs/adding.md)")
        super().on_train_batch_end(outputs, batch, batch_index)

    def on_train_epoch_end(self) -> None:
        super().on_train_epoch_end()  # logs the training metrics, of which one may be the plateau scheduler's
        if self.scheduler.interval == "epoch":
            self.advance_schedulers()


def do_nothing() -> None:
    """The closure of an optimizer step whose gradients are computed already."""


def leave_to_the_task(settings: DictConfig, task: DictConfig) -> None:
    """Adapt the Trainer's settings to a task with manual optimization, which clips its gradients itself.

    Raises:
        InputError: for gradient accumulation, for clipping of each value, for clipping where the task has no
            `gradient_clip_val`, and for FSDP.
    """
    if settings.accumulate_grad_batches != 1:
        raise InputError(
            f"trainer.accumulate_grad_batches={settings.accumulate_grad_batches}: this task steps at every batch;"
            " set data.batch_size"
        )
    if (way := settings.get("gradient_clip_algorithm")) not in (None, "norm"):
        raise InputError(f"trainer.gradient_clip_algorithm={way}: this task clips by norm; leave it out")
    if settings.gradient_clip_val is not None and "gradient_clip_val" not in task:
        raise InputError(
            f"trainer.gradient_clip_val={settings.gradient_clip_val}: {task._target_} does not clip;"
            " task.gradient_clip_val would, see docs/adding.md"
        )
    settings.gradient_clip_val = None
    if "fsdp" in str(settings.strategy).lower():
        raise InputError(f"trainer.strategy: FSDP does not follow the steps of {task._target_}; choose trainer=ddp")
    devices = settings.get("devices", 1)
    several = (len(devices) if OmegaConf.is_list(devices) else int(devices)) > 1 or settings.get("num_nodes", 1) > 1
    if settings.strategy == "ddp" or (settings.strategy == "auto" and several):
        settings.strategy = "ddp_find_unused_parameters_true"  # each optimizer steps a part of the parameters
