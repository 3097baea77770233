"""What every task shares: an objective, and its optimizer and learning-rate schedule wired into Lightning."""

import copy
import math
import random
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, Self

import lightning.pytorch as lightning
import numpy as np
import torch
from torch import Tensor, nn
from torch.optim import Adagrad, Adam, Optimizer
from torch.optim.lr_scheduler import LRScheduler, ReduceLROnPlateau
from torchmetrics import Metric

from atelier.errors import InputError, wrong_value
from atelier.internals import QuickHooks
from atelier.tasks.outputs import look_at_first_output
from atelier.tasks.precision import as_its_weights, check_eps, in_full
from atelier.tasks.schedule import Schedule


class Task(QuickHooks, lightning.LightningModule):
    """Base of the LightningModules here. A subclass writes out its steps.

    The network alone computes in the run's precision. What it is given is brought to that of its weights, and what it
    gives is in 32 bits or more, as is all that is worked out of it: losses, metrics, predictions.

    Args:
        network: what is trained.
        optimizer: makes the optimizer of the network's parameters.
        scheduler: how its learning rate changes.
        metric: name of the logged metric that decides which checkpoint is best.
        mode: whether a good `metric` is small ("min") or large ("max").
        keep: whether best.ckpt, which is tested, is of the validation with the best `metric` or of the last one.
    """

    measured_as = "val/"  # what the names of the validation's metrics begin with
    logged = 0  # the step up to which the training is logged
    sizes: Sequence[int] = ()  # of an epoch's batches, where several make a step

    def __init__(
        self,
        network: nn.Module,
        optimizer: Callable[..., Optimizer],
        scheduler: Schedule,
        metric: str,
        mode: Literal["min", "max"],
        keep: Literal["best", "last"] = "best",
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

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Self:
        """Called to move all to a device or a precision; of what is not the network, nothing loses bits.

        The sums of a metric, and a moving average of weights, would stand still in 16 bits.
        """

        def moved(values: Tensor) -> Tensor:
            like = fn(values.new_empty(0))
            return values.to(like.device, torch.promote_types(values.dtype, like.dtype))

        super()._apply(moved, recurse=False)
        for child in self.children():
            child._apply(fn if child is self.network else moved)
        return self

    def outputs(self) -> tuple[int, str] | None:
        """How many numbers the network is to give for an input, and the setting that says so; None: it may be any."""
        return None

    def classes_told_apart(self) -> int | None:
        """How many classes the data set has, where it says so.

        Raises:
            InputError: if there is nothing to tell apart.
        """
        count = getattr(self.trainer.datamodule, "num_classes", None)  # type: ignore[attr-defined]
        if count is not None and count < 2:
            raise InputError(f"data.num_classes={count}: {type(self).__name__} tells classes apart; give 2 or more")
        return count

    def setup(self, stage: str) -> None:
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
        return {"optimizer": optimizer, "lr_scheduler": config}

    def backward(self, loss: Tensor, *args: Any, **kwargs: Any) -> None:
        """Weight the batches of an optimizer step by their samples, so that each sample counts as in one larger batch.

        With trainer.accumulate_grad_batches=k Lightning takes 1/k of each loss, and steps at the end of an epoch with
        as many batches as there are. The weights of a step's batches sum to k: a penalty keeps its strength.
        """
        several = self.trainer.accumulate_grad_batches
        if several > 1:
            batch = self.trainer.fit_loop.batch_idx
            first = batch - batch % several
            loss = loss * (several * self.sizes[batch] / sum(self.sizes[first : first + several]))
        super().backward(loss, *args, **kwargs)

    def on_train_start(self) -> None:
        """
        Raises:
            InputError: where batches of one optimizer step would lie in two epochs, or some before a resume.
        """
        self.logged = self.trainer.global_step
        several = self.trainer.accumulate_grad_batches
        if several == 1:
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
        """Optimizer steps, each of trainer.accumulate_grad_batches batches; an epoch's last may have fewer."""
        return math.ceil(self.trainer.num_training_batches / self.trainer.accumulate_grad_batches)

    def optimizer_of(self, network: nn.Module, **options: Any) -> Optimizer:
        """The optimizer of a network's parameters, fused on a processor, where PyTorch leaves that off by default.

        A training step of a small network under Adam then takes 0.7 to 0.9 of the time. A GPU is left to PyTorch's own
        choice: Lightning does not clip the gradients of a fused optimizer in mixed precision.
        """
        with wrong_value("optimizer"):
            optimizer = self.optimizer(network.parameters(), **options)
        check_eps(optimizer.defaults.get("eps"), next(network.parameters()).dtype)
        on_processor = all(parameter.device.type == "cpu" for parameter in network.parameters())
        if on_processor and isinstance(optimizer, (Adam, Adagrad)):  # AdamW is an Adam
            for group in optimizer.param_groups:
                if group["fused"] is None:  # not chosen
                    group["fused"] = True
        return optimizer

    def scheduler_of(self, optimizer: Optimizer) -> LRScheduler | None:
        """The scheduler that the schedule gives an optimizer in this run.

        Raises:
            InputError: if the one counts epochs and the other steps.
        """
        steps, epochs = int(self.trainer.estimated_stepping_batches), self.trainer.max_epochs or -1
        with wrong_value("scheduler"):
            scheduler = self.scheduler.attach(optimizer, steps, epochs)
        if isinstance(scheduler, ReduceLROnPlateau) and self.counts_steps:
            raise InputError("scheduler=plateau counts epochs; trainer.check_val_every_n_epoch=null counts steps")
        return scheduler

    def manual_backward(self, loss: Tensor, *args: Any, **kwargs: Any) -> None:
        """As Lightning has it, but without autocast: it would compute in 16 bits what was not so on the way there."""
        with torch.autocast(loss.device.type, enabled=False):
            super().manual_backward(loss, *args, **kwargs)

    @property
    def counts_steps(self) -> bool:
        """Whether the run is measured every so many steps (trainer.val_check_interval), and not epoch by epoch."""
        return self.trainer.check_val_every_n_epoch is None

    def log_training(self) -> None:
        """Log the training metrics, where a subclass has any, and start them anew: after an epoch, or where the run
        counts steps with a validation and every trainer.log_every_n_steps (0: with a validation alone)."""

    def measure_training(self) -> None:
        """Log what a subclass measures over the whole training set: after an epoch or, where the run counts steps,
        with a validation, which costs as much."""

    def on_train_batch_end(self, outputs: Any, batch: Any, batch_index: int) -> None:
        step, every = self.trainer.global_step, self.trainer.log_every_n_steps  # type: ignore[attr-defined]
        if self.counts_steps and every and step % every == 0 and step > self.logged:
            self.logged = step
            self.log_training()

    def on_train_epoch_end(self) -> None:
        if not self.counts_steps:
            self.log_training()
            self.measure_training()

    def on_validation_epoch_start(self) -> None:
        if self.counts_steps and self.trainer.state.fn == "fit":
            if self.trainer.global_step > self.logged:
                self.log_training()
            self.measure_training()

    def log_metrics(self, stage: str, metrics: Mapping[str, Metric]) -> None:
        """Log the epoch's values as `<stage>/<name>` and start anew; a metric of several values gives each its name."""
        prefix = self.measured_as if stage == "val" else f"{stage}/"
        for name, metric in metrics.items():
            value = metric.compute()
            values = value if isinstance(value, dict) else {name: value}
            self.log_dict({f"{prefix}{key}": item for key, item in values.items()})
            metric.reset()

    @torch.no_grad()
    def pass_over(self, split: str, prefix: str) -> None:
        """Pass over a split as validation does, between two epochs or validations, and log `<prefix><name>`.

        Each sample counts once, on any number of processes; the random numbers of torch, numpy and Python go on as if
        this had not been done.
        """
        data: Any = self.trainer.datamodule  # type: ignore[attr-defined]
        training = {module: module.training for module in self.modules()}
        others = random.getstate(), np.random.get_state()  # a data set's own code may draw from them
        self.eval()
        with torch.random.fork_rng([self.device] if self.device.type == "cuda" else []):
            for index, batch in enumerate(data.loader(split)):
                inputs, labels = data.transfer_batch_to_device(batch, self.device, 0)
                with self.trainer.precision_plugin.val_step_context():
                    self.validation_step((data.normalise(inputs), labels), index)
        random.setstate(others[0])
        np.random.set_state(others[1])
        self.measured_as = prefix
        self.on_validation_epoch_end()
        del self.measured_as
        for module, mode in training.items():
            module.training = mode

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Keep what the metrics of an unfinished epoch hold, so that it can go on in its middle."""
        checkpoint["metrics"] = {}
        several = self.trainer.world_size > 1
        for name, metric in self.metrics_by_name().items():
            if metric.update_called:
                with metric.sync_context(should_sync=several, distributed_available=lambda: several):
                    state = {key: getattr(metric, key) for key in metric.metric_state}
                    checkpoint["metrics"][name] = copy.deepcopy(state)

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        if self._trainer is None or self.trainer.state.fn != "fit":
            return
        for name, metric in self.metrics_by_name().items():
            for key, value in checkpoint.get("metrics", {}).get(name, {}).items():
                metric._update_count = 1  # in every process: what holds something is saved again, by all together
                if self.trainer.is_global_zero:  # the first process goes on with the sums of all
                    joined = isinstance(getattr(metric, key), list) and isinstance(
                        value, Tensor
                    )  # of several processes
                    setattr(metric, key, [value] if joined else value)

    def metrics_by_name(self) -> dict[str, Metric]:
        """All metrics of the task, wherever it keeps them; those of a validation hold nothing when a run is saved."""
        return {name: module for name, module in self.named_modules() if isinstance(module, Metric)}

    def captions(self, labels: Tensor) -> list[str]:
        """Labels (N, …) as a person would write them under a picture."""
        return [str(label.tolist()) for label in labels]

    def answers(self, prediction: Tensor) -> list[dict[str, Any]]:
        """The network's outputs (N, …) as plain values for a user: one dictionary per input."""
        raise NotImplementedError(f"{type(self).__name__} cannot be asked for predictions")
