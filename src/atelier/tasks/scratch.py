"""The task of classification with the framework without autograd (EE559 report)."""

from typing import Any, Literal

import torch
from lightning.pytorch.strategies import FSDPStrategy
from torch import Tensor

from atelier.errors import InputError
from atelier.losses.penalty import none
from atelier.metrics.predicted import correct
from atelier.scratch.losses import MSE, CrossEntropy, Loss, one_hot
from atelier.scratch.module import Module
from atelier.tasks.classifier import Batch, Classifier
from atelier.tasks.manual import ManualTask
from atelier.tasks.precision import check_eps
from atelier.tasks.scratch_optimizer import ScratchOptimizer, own_optimizer

CRITERIA: dict[str, type[Loss]] = {"cross_entropy": CrossEntropy, "mse": MSE}


class Scratch(ManualTask, Classifier):
    """A classifier whose training step calls forward, backward and step of `atelier.scratch`, without autograd.

    The configured optimizer of torch's is replaced by its counterpart in `atelier.scratch`. Every scheduler works,
    since it only sets the learning rate. All computations are in the precision of the weights, without autocast.

    Args:
        criterion: cross_entropy (of the softmax of the outputs), or mse (of the outputs and one-hot classes; the
            test then has no calibration error, and answers no probability).
        gradient_clip_val: must be None.
        label_smoothing, class_weights: must be 0 and None.
        **options: see `Classifier`; `network.layers` must be a network of `atelier.scratch`, and `penalty` must be
            `losses.penalty.none`: set the optimizer's weight decay instead.

    Raises:
        InputError: for options that `atelier.scratch` does not support.
    """

    takes_shares = False

    def __init__(
        self,
        criterion: Literal["cross_entropy", "mse"],
        gradient_clip_val: float | None,
        label_smoothing: Literal[0] = 0,
        class_weights: None = None,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        layers = getattr(self.network, "layers", None)
        if not isinstance(layers, Module):
            raise InputError(f"task=scratch cannot train a {type(self.network).__name__}: choose network=scratch_mlp")
        if getattr(self.penalty, "func", self.penalty) is not none:
            raise InputError("penalty: task=scratch has none; set optimizer.weight_decay")
        if gradient_clip_val is not None:
            raise InputError(
                f"trainer.gradient_clip_val={gradient_clip_val}: task=scratch does not clip; set it to null"
            )
        self.layers = layers
        self.own_optimizer = own_optimizer(self.optimizer)
        self.loss = CRITERIA[criterion]()
        if criterion == "mse":  # outputs near one-hot classes are no logits
            self.confident, self.test_calibration = False, None

    def setup(self, stage: str) -> None:
        super().setup(stage)
        if isinstance(self.trainer.strategy, FSDPStrategy):
            raise InputError("trainer=fsdp: task=scratch needs all weights in each process; choose trainer=ddp")
        if stage == "fit" and self.trainer.precision == "16-mixed":
            raise InputError(
                "trainer.precision=16-mixed scales autograd's gradients, and task=scratch has none of them"
            )

    def forward(self, inputs: Tensor) -> Tensor:
        with torch.autocast(self.device.type, enabled=False):
            return super().forward(inputs)

    # ------------------------------------------------------------------ training

    @torch.no_grad()
    def training_step(self, batch: Batch, batch_index: int) -> Tensor:
        inputs, classes = batch
        outputs = self(inputs)
        loss = self.loss.forward(outputs, one_hot(classes, self.num_classes))
        with torch.autocast(self.device.type, enabled=False):
            self.layers.backward(self.loss.backward().to(self.dtype))
        self.average_gradients()
        self.optimizers().step()  # type: ignore[union-attr]
        self.train_loss.update(loss, len(classes))
        self.train_accuracy.update(correct(outputs, classes))
        self.step_schedulers()
        return loss

    def average_gradients(self) -> None:
        """Average the gradients over the processes, which DDP does only for autograd's gradients."""
        if self.trainer.world_size > 1:
            for parameter in self.layers.parameters().values():
                parameter.grad = self.trainer.strategy.reduce(parameter.grad, reduce_op="mean")

    def configure_optimizers(self) -> Any:
        if not all(parameter.requires_grad for parameter in self.network.parameters()):
            raise InputError("start.freeze: task=scratch trains the whole network; set it to null")
        optimizer = ScratchOptimizer(self.network, self.own_optimizer(self.layers.parameters()))
        check_eps(getattr(optimizer.inner, "eps", None), next(self.network.parameters()).dtype)
        return self.with_schedulers(optimizer)

    # ------------------------------------------------------------------ validation, test

    def evaluation_loss(self, logits: Tensor, classes: Tensor) -> Tensor:
        return self.loss.forward(logits, one_hot(classes, self.num_classes))
