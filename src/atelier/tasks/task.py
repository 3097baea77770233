"""The base class of tasks: passes the optimizer and the learning-rate scheduler to Lightning, and logs metrics."""

import math
import random
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Annotated, Any, Literal, Self

import lightning.pytorch as lightning
import numpy as np
import torch
from annotated_types import Interval
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler, ReduceLROnPlateau
from torchmetrics import Metric

from atelier.errors import InputError, wrong_value
from atelier.internals import QuickHooks
from atelier.tasks.average import Average, evaluating, go_on
from atelier.tasks.clipping import check_clipping
from atelier.tasks.exportable import Exportable
from atelier.tasks.optimizer import made
from atelier.tasks.outputs import look_at_first_output
from atelier.tasks.precision import as_its_weights, in_full
from atelier.tasks.schedule import Schedule
from atelier.tasks.unfinished import load_metrics, save_metrics


class Task(Exportable, QuickHooks, lightning.LightningModule):
    """Base class of all tasks. A subclass defines its training, validation and test steps. `export`: see `Exportable`.

    Only the network computes in the run's precision: its inputs are converted to the dtype of its weights, and its
    outputs to 32 bits or more, in which losses, metrics and predictions are computed.

    Args:
        network: the network to train.
        optimizer: maps parameters to their optimizer.
        scheduler: the learning-rate scheduler.
        metric: name of the logged metric that selects the best checkpoint.
        mode: "min" or "max": whether a small or a large `metric` is better.
        keep: best.ckpt, which is tested, is that of the "best" or of the "last" validation.
        average: decay per step of a moving average of the weights, which is validated, tested and used, see `Average`.
    """

    measured_as = "val/"  # prefix of the metrics of `validation_step`
    takes_shares = False  # whether it learns from shares of the classes (N, C), as of mixed samples, too
    logged = 0  # step at which training metrics were last logged
    recorded: Mapping[str, Any] | None = None  # entries of run.json, a test's own or an opened run's; None: of no run
    sizes: Sequence[int] = ()  # sizes of an epoch's batches, with gradient accumulation

    def __init__(
        self,
        network: nn.Module,
        optimizer: Callable[..., Optimizer],
        scheduler: Schedule,
        metric: str,
        mode: Literal["min", "max"],
        keep: Literal["best", "last"] = "best",
        average: Annotated[float, Interval(ge=0, lt=1)] | None = None,
    ) -> None:
        super().__init__()
        self.network = network
        for part in network.children() if isinstance(network, nn.ModuleDict) else [network]:
            part.register_forward_pre_hook(as_its_weights)
            part.register_forward_hook(in_full)
        self.optimizer = optimizer
        self.scheduler = scheduler
        self.metric = metric
        self.mode = mode
        self.keep = keep
        self.average = None if average is None else Average(self.averaged_part(), average)

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Self:
        """Move to a device or precision; tensors outside the network, such as a metric's sums, keep their 32 bits."""

        def moved(values: Tensor) -> Tensor:
            like = fn(values.new_empty(0))
            return values.to(like.device, torch.promote_types(values.dtype, like.dtype))

        super()._apply(moved, recurse=False)
        for child in self.children():
            child._apply(fn if child is self.network else moved)
        return self

    def outputs(self) -> tuple[int, str] | None:
        """The required number of outputs for an input, and the setting that requires it; None: any number."""
        return None

    def averaged_part(self) -> nn.Module:
        """The part of the network whose weights `average` averages."""
        return self.network

    def averaged(self) -> AbstractContextManager[None]:
        """Inside this context, as in validations, the network has its averaged weights, if there are any."""
        return self.average.in_use() if self.average else nullcontext()

    def evaluating(self) -> AbstractContextManager[None]:
        """Inside this context, the task is in evaluation mode, with averaged weights if any."""
        return evaluating(self)

    def configure_callbacks(self) -> list[lightning.Callback]:
        return [self.average] if self.average else []

    def setup(self, stage: str) -> None:
        data: Any = getattr(self.trainer, "datamodule", None)
        if stage == "fit" and not self.takes_shares and getattr(data, "mixing", None) is not None:
            raise InputError(f"mixing: {type(self).__name__} does not learn from shares of classes; leave mixing out")
        if (expected := self.outputs()) is not None:
            look_at_first_output(self.network, *expected)

    def configure_optimizers(self) -> Any:
        optimizer = self.optimizer_of(self.network)
        scheduler = self.scheduler_of(optimizer)
        if scheduler is None:
            return optimizer
        config: dict[str, Any] = {"scheduler": scheduler, "interval": self.scheduler.interval}
        if isinstance(scheduler, ReduceLROnPlateau):
            config["monitor"] = self.metric
            config["frequency"] = self.trainer.check_val_every_n_epoch  # between validations, its value is an old one
        return {"optimizer": optimizer, "lr_scheduler": config}

    def backward(self, loss: Tensor, *args: Any, **kwargs: Any) -> None:
        """Weight the batches of an optimizer step by their sizes, so that gradient accumulation equals a larger batch.

        With trainer.accumulate_grad_batches=k, Lightning divides each loss by k, and the last step of an epoch may have
        fewer batches. The weights of a step's batches sum to k, so that a penalty keeps its strength.
        """
        several = self.trainer.accumulate_grad_batches
        if several > 1 and self.sizes:
            batch = self.trainer.fit_loop.batch_idx
            first = batch - batch % several
            loss = loss * (several * self.sizes[batch] / sum(self.sizes[first : first + several]))
        super().backward(loss, *args, **kwargs)

    def on_fit_start(self) -> None:
        check_clipping(self)

    def on_train_start(self) -> None:
        """
        Raises:
            InputError: if the batches of an optimizer step would be split by the end of an epoch or by a resume.
        """
        self.logged = self.trainer.global_step
        several = self.trainer.accumulate_grad_batches
        if several == 1 or not hasattr(self.trainer.train_dataloader, "sizes"):  # of others, batches count alike
            return
        loader: Any = self.trainer.train_dataloader
        self.sizes = loader.sizes()[: int(self.trainer.num_training_batches)]
        given = f"trainer.accumulate_grad_batches={several}"
        if self.counts_steps and (batches := int(self.trainer.num_training_batches)) % several:
            told = f"a run that counts steps needs a divisor of the {batches} batches of an epoch"
            raise InputError(f"{given}: {told}; or set data.batch_size")
        if (done := loader.first(self.trainer.current_epoch)) % several:
            raise InputError(f"{given}: the run goes on after {done} batches of an epoch; give a divisor of {done}")

    @property
    def steps_per_epoch(self) -> int:
        """Optimizer steps in an epoch; each takes trainer.accumulate_grad_batches batches, the last perhaps fewer."""
        return math.ceil(self.trainer.num_training_batches / self.trainer.accumulate_grad_batches)

    def optimizer_of(self, network: nn.Module, **options: Any) -> Optimizer:
        """The optimizer of a network's parameters, with `options` in the place of the configuration's."""
        return made(self.optimizer, network, **options)

    def scheduler_of(self, optimizer: Optimizer) -> LRScheduler | None:
        """The learning-rate scheduler of an optimizer; None for a constant learning rate.

        Raises:
            InputError: for a plateau scheduler, which counts epochs, in a run that counts steps or never validates.
        """
        if self.scheduler.scheduler is None:
            return None
        steps, epochs = 0, 0
        if self.scheduler.length:
            if self.trainer.estimated_stepping_batches == math.inf:
                told = "the scheduler lays the learning rate over the whole run; give its length, or scheduler=constant"
                raise InputError(f"trainer.max_epochs={self.trainer.max_epochs}: {told}")
            steps = int(self.trainer.estimated_stepping_batches)
            self.trainer.fit_loop.setup_data()  # counts the batches of an epoch
            epochs = math.ceil(steps / self.steps_per_epoch)  # trainer.max_steps may end the run before max_epochs
        with wrong_value("scheduler"):
            scheduler = self.scheduler.attach(optimizer, steps, epochs)
        if isinstance(scheduler, ReduceLROnPlateau):
            if self.counts_steps:
                raise InputError("scheduler=plateau counts epochs; trainer.check_val_every_n_epoch=null counts steps")
            if self.trainer.limit_val_batches == 0 and not self.metric.startswith("train/"):
                raise InputError(f"trainer.limit_val_batches=0: scheduler=plateau needs {self.metric}")
        return scheduler

    def manual_backward(self, loss: Tensor, *args: Any, **kwargs: Any) -> None:
        """Lightning's `manual_backward` without autocast, which would compute 32-bit operations in 16 bits."""
        with torch.autocast(loss.device.type, enabled=False):
            super().manual_backward(loss, *args, **kwargs)

    @property
    def counts_steps(self) -> bool:
        """Whether the run validates after numbers of steps (trainer.val_check_interval), and not of epochs."""
        return self.trainer.check_val_every_n_epoch is None

    def log_training(self) -> None:
        """Log and reset the training metrics of a subclass; called after an epoch, or, if the run counts steps, with a
        validation and every trainer.log_every_n_steps steps (0: only with a validation)."""

    def measure_training(self) -> None:
        """Log the measurements of a subclass over the whole training set; called after an epoch, or, if the run counts
        steps, with a validation."""

    def on_train_batch_end(self, outputs: Any, batch: Any, batch_index: int) -> None:
        self.log_steps()

    def log_steps(self) -> None:
        """Log the training metrics, once, after trainer.log_every_n_steps steps; a checkpoint is written after it."""
        step, every = self.trainer.global_step, self.trainer.log_every_n_steps  # type: ignore[attr-defined]
        if self.counts_steps and every and step % every == 0 and step > self.logged:
            self.logged = step
            self.log_training()

    def on_train_epoch_end(self) -> None:
        if not self.counts_steps:
            self.log_training()
            self.measure_training()

    def on_validation_epoch_start(self) -> None:
        self.share_buffers()
        if self.counts_steps and self.trainer.state.fn == "fit":
            if self.trainer.global_step > self.logged:
                self.log_training()
            self.measure_training()

    def share_buffers(self) -> None:
        """Give all processes the first one's running statistics of batch norm, which checkpoints hold.

        DDP shares them before some steps of automatic optimization, and never after those of manual optimization.
        """
        if self.trainer.world_size > 1:
            for buffer in self.network.buffers():
                torch.distributed.broadcast(buffer, src=0)

    def log_metrics(self, stage: str, metrics: Mapping[str, Metric]) -> None:
        """Log the metrics as `<stage>/<name>` and reset them; a metric's dictionary is logged under its keys."""
        prefix = self.measured_as if stage == "val" else f"{stage}/"
        for name, metric in metrics.items():
            value = metric.compute()
            values = value if isinstance(value, dict) else {name: value}
            self.log_dict({f"{prefix}{key}": item for key, item in values.items()})
            metric.reset()

    def own_data(self, purpose: str) -> Any:
        """The trainer's data module, for a `purpose` that plain loaders do not serve.

        Raises:
            InputError: if the trainer was given loaders instead.
        """
        data = self.trainer.datamodule  # type: ignore[attr-defined]
        if data is None:
            raise InputError(f"{purpose} needs a data module of atelier.data; give it to the trainer as datamodule=")
        return data

    @torch.no_grad()
    def pass_over(self, split: str, prefix: str) -> None:
        """Run the validation step over a split, and log the metrics as `<prefix><name>`.

        Each sample counts once, on any number of processes. The states of the random generators of torch, NumPy and
        Python are restored afterwards.
        """
        data = self.own_data(f"measuring the {split} split apart")
        self.share_buffers()
        others = random.getstate(), np.random.get_state()  # a user's data set may draw from them
        with self.evaluating(), torch.random.fork_rng([self.device] if self.device.type == "cuda" else []):
            for index, batch in enumerate(data.loader(split)):
                inputs, labels = data.transfer_batch_to_device(batch, self.device, 0)
                with self.trainer.precision_plugin.val_step_context():
                    self.validation_step((data.normalise(inputs), labels), index)
        random.setstate(others[0])
        np.random.set_state(others[1])
        self.measured_as = prefix
        self.on_validation_epoch_end()
        del self.measured_as

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Save each process's metrics of an unfinished epoch, so that the run can resume in its middle."""
        save_metrics(self, checkpoint)

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        if self._trainer is not None and self.trainer.state.fn == "fit":
            go_on(checkpoint)
            load_metrics(self, checkpoint)

    def predict_step(self, batch: Any, batch_index: int) -> Any:
        """The task's output for the inputs of a batch."""
        return self(batch[0])

    def captions(self, labels: Tensor) -> list[str]:
        """Labels (N, …) as texts for captions of images."""
        return [str(label.tolist()) for label in labels]

    def answers(self, prediction: Tensor) -> list[dict[str, Any]]:
        """The network's outputs (N, …) as plain values for the user, a dictionary for each input."""
        raise InputError(f"task: {type(self).__name__} gives no answers about inputs")
