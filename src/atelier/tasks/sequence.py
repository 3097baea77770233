"""The task of classifying sequences (ASCI and ELEC576 reports)."""

from collections.abc import Callable
from typing import Any

import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils import clip_grads_with_norm_, get_total_norm
from torch.optim import Optimizer

from atelier.losses.precision import full
from atelier.metrics.mean import Mean, Share
from atelier.metrics.predicted import correct, most_probable
from atelier.tasks.classes import one_class_each
from atelier.tasks.clipping import are_true
from atelier.tasks.task import Task

Batch = tuple[Tensor, Tensor]  # sequences (N, T, …), classes (N,)


class SequencePredictor(Task):
    """A network trained with cross-entropy on its prediction for the whole sequence.

    `train/gradient_norm` is the mean over the optimizer steps of the gradient's Euclidean norm, before clipping by
    trainer.gradient_clip_val; it shows exploding gradients. Steps that trainer.precision=16-mixed leaves out, while it
    looks for the scale of the gradients, do not count. With trainer=fsdp it is not measured, nor with a fused
    optimizer and trainer.precision=16-mixed, which scales the gradients.

    Args:
        penalty: function of the network that is added to the training loss.
        **options: see `Task`; `network` maps sequences (N, T, …) to logits (N, num_classes).
    """

    export_outputs = ("logits",)

    def __init__(self, penalty: Callable[[nn.Module], Tensor | float], **options: Any) -> None:
        super().__init__(**options)
        self.penalty = penalty
        self.train_loss, self.train_accuracy, self.train_gradient_norm = Mean(), Share(), Mean()
        self.val_loss, self.val_accuracy = Mean(), Share()
        self.test_loss, self.test_accuracy = Mean(), Share()

    def outputs(self) -> tuple[int, str] | None:
        count = one_class_each(self)
        return None if count is None else (count, f"data.num_classes={count}")

    def forward(self, sequences: Tensor) -> Tensor:
        return self.network(sequences)

    def training_step(self, batch: Batch, batch_index: int) -> Tensor:
        sequences, classes = batch
        logits = self.network(sequences)
        loss = F.cross_entropy(logits, classes)
        self.train_loss.update(loss, len(classes))
        self.train_accuracy.update(correct(logits, classes))
        return loss + self.penalty(self.network)

    def configure_gradient_clipping(
        self,
        optimizer: Optimizer,
        gradient_clip_val: int | float | None = None,
        gradient_clip_algorithm: str | None = None,
    ) -> None:
        """Clip the gradients, with a norm that is computed once for the clipping and the metric."""
        if not are_true(self.trainer):
            return self.clip_gradients(optimizer, gradient_clip_val, gradient_clip_algorithm)
        parameters = [parameter for parameter in self.network.parameters() if parameter.grad is not None]
        norm = get_total_norm([full(parameter.grad) for parameter in parameters if parameter.grad is not None])
        if gradient_clip_val and gradient_clip_algorithm in (None, "norm"):
            clip_grads_with_norm_(parameters, gradient_clip_val, norm)
        else:
            self.clip_gradients(optimizer, gradient_clip_val, gradient_clip_algorithm)
        scaled = getattr(self.trainer.precision_plugin, "scaler", None) is not None
        if not scaled or norm.isfinite():  # a scaler leaves out the step of a gradient that has overflowed
            self.train_gradient_norm.update(norm, 1)

    def log_training(self) -> None:
        norm = {"gradient_norm": self.train_gradient_norm} if are_true(self.trainer) else {}
        self.log_metrics("train", {"loss": self.train_loss, "accuracy": self.train_accuracy, **norm})

    def validation_step(self, batch: Batch, batch_index: int) -> None:
        sequences, classes = batch
        logits = self.network(sequences)
        self.val_loss.update(F.cross_entropy(logits, classes), len(classes))
        self.val_accuracy.update(correct(logits, classes))

    def on_validation_epoch_end(self) -> None:
        self.log_metrics("val", {"loss": self.val_loss, "accuracy": self.val_accuracy})

    def test_step(self, batch: Batch, batch_index: int) -> None:
        sequences, classes = batch
        logits = self.network(sequences)
        self.test_loss.update(F.cross_entropy(logits, classes), len(classes))
        self.test_accuracy.update(correct(logits, classes))

    def on_test_epoch_end(self) -> None:
        self.log_metrics("test", {"loss": self.test_loss, "accuracy": self.test_accuracy})

    def captions(self, labels: Tensor) -> list[str]:
        return [str(label) for label in labels.tolist()]

    def answers(self, prediction: Tensor) -> list[dict[str, Any]]:
        """The most probable class of each sequence, and its probability; None if it has none."""
        return [{"class": label, "probability": share} for label, share in most_probable(prediction)]
