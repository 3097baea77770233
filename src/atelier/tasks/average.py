"""An exponential moving average of a network's weights, which a run validates, tests and keeps for use."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import lightning.pytorch as lightning
import torch
from lightning.pytorch.callbacks import Checkpoint
from torch import Tensor, nn
from torch.optim.swa_utils import get_ema_multi_avg_fn

from atelier.tasks.sharded import need_all_weights

RAW = "raw_weights"  # key of a checkpoint: the weights with which the training goes on
OWN = "average"  # key of a loaded checkpoint: the average that `go_on` has taken out of its `state_dict`


class Average(Checkpoint):
    """Averages weights after each step of their optimizer: average = decay · average + (1 − decay) · weights.

    The average begins with the weights at the start of the training. In validations the network has the average in the
    place of its weights. The `state_dict` of a checkpoint holds the average, so that all that opens it uses the
    average; a checkpoint with an optimizer's state also holds the weights, as `raw_weights`, and a run resumes exactly.

    Buffers are not averaged: the average is used with the network's own running statistics of batch norm, which
    describe the latest training batches.

    torch's AveragedModel keeps the average in the precision of the weights, and in 16 bits its small steps would be
    lost; Lightning's WeightAveraging would have the best checkpoint of a validation hold the weights.

    It is a `Checkpoint`, since Lightning calls these last: best.ckpt is written before a validation ends here.

    Args:
        network: whose weights are averaged.
        decay: share of the average that a step keeps, 0 to below 1.
    """

    def __init__(self, network: nn.Module, decay: float) -> None:
        self.network, self.decay = network, decay
        self.move = get_ema_multi_avg_fn(decay)
        self.loaded: dict[str, Tensor] = {}  # the average in the checkpoint from which the run resumes
        self.weights: dict[str, Tensor] = {}  # by name in the network
        self.means: dict[str, Tensor] = {}  # their averages, in 32 bits or more
        self.raw: dict[str, Tensor] = {}  # copies of the weights, while the network has the averages

    def on_fit_start(self, trainer: lightning.Trainer, task: Any) -> None:
        """
        Raises:
            InputError: if a process has only a part of the weights.
        """
        need_all_weights(trainer, f"task.average={self.decay}")
        self.give_back()
        self.weights = dict(self.network.named_parameters(remove_duplicate=False))  # as in a state_dict
        for name, key in self.keys(task).items():
            weight = self.weights[name]
            wide = torch.promote_types(weight.dtype, torch.float32)
            self.means[name] = self.loaded.get(key, weight).detach().to(weight.device, wide, copy=True)
        self.loaded = {}
        for optimizer in trainer.optimizers:
            held = {id(weight) for group in optimizer.param_groups for weight in group["params"]}
            if names := [name for name, weight in self.weights.items() if id(weight) in held]:
                optimizer.register_step_post_hook(lambda *_, names=names: self.update(names))

    @torch.no_grad()
    def update(self, names: Sequence[str]) -> None:
        means = [self.means[name] for name in names]
        weights = [self.weights[name].to(mean.dtype) for name, mean in zip(names, means, strict=True)]
        self.move(means, weights, 0)

    # ------------------------------------------------------------------ use

    @contextmanager
    def in_use(self) -> Iterator[None]:
        """Inside this context the network has the average in the place of its weights."""
        if self.raw:
            yield
            return
        self.take()
        try:
            yield
        finally:
            self.give_back()

    @torch.no_grad()
    def take(self) -> None:
        if self.raw:
            return
        self.raw = {name: self.weights[name].clone() for name in self.means}  # first: two names may be of one weight
        for name, mean in self.means.items():
            self.weights[name].copy_(mean)

    @torch.no_grad()
    def give_back(self) -> None:
        for name, weight in self.raw.items():
            self.weights[name].copy_(weight)
        self.raw = {}

    def on_validation_start(self, trainer: lightning.Trainer, task: Any) -> None:
        if trainer.state.fn == "fit":
            self.take()

    def on_validation_end(self, trainer: lightning.Trainer, task: Any) -> None:
        if trainer.state.fn == "fit":
            self.give_back()

    def on_fit_end(self, trainer: lightning.Trainer, task: Any) -> None:
        self.take()  # whoever trains a task without `Run` goes on to use it

    # ------------------------------------------------------------------ checkpoints

    def on_save_checkpoint(self, trainer: lightning.Trainer, task: Any, checkpoint: dict[str, Any]) -> None:
        keys = self.keys(task) if self.means else {}
        if keys and checkpoint.get("optimizer_states"):
            checkpoint[RAW] = {key: self.raw.get(name, self.weights[name]).detach() for name, key in keys.items()}
        checkpoint["state_dict"] = {**checkpoint["state_dict"], **{key: self.means[name] for name, key in keys.items()}}

    def on_load_checkpoint(self, trainer: lightning.Trainer, task: Any, checkpoint: dict[str, Any]) -> None:
        if trainer.state.fn == "fit":
            self.raw, self.loaded = {}, checkpoint.get(OWN, {})

    def keys(self, task: nn.Module) -> dict[str, str]:
        """{name of a weight in the network: its key in the task's state_dict}."""
        (above,) = (name for name, module in task.named_modules() if module is self.network)
        return {name: f"{above}.{name}" for name in self.weights}


def go_on(checkpoint: dict[str, Any]) -> None:
    """Let the training go on from a checkpoint's raw weights, if it has any, and keep their average aside."""
    if raw := checkpoint.get(RAW):
        checkpoint[OWN] = {key: checkpoint["state_dict"][key] for key in raw}
        checkpoint["state_dict"].update(raw)


@contextmanager
def evaluating(task: Any) -> Iterator[None]:
    """Inside this context, a task is in evaluation mode, with averaged weights if any.

    Afterwards each of its modules has its own mode again: frozen ones stay in evaluation mode.
    """
    training = {module: module.training for module in task.modules()}
    task.eval()
    try:
        with task.averaged():
            yield
    finally:
        for module, mode in training.items():
            module.training = mode
