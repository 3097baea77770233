"""Tell which of several classes an input belongs to."""

from collections.abc import Callable
from typing import Any, Literal

import torch.nn.functional as F
from torch import Tensor, nn
from torch.optim import Optimizer

from atelier.metrics.mean import Mean
from atelier.tasks.schedule import Schedule
from atelier.tasks.task import Task

Batch = tuple[Tensor, Tensor]  # inputs (N, …), classes (N,)


class Classifier(Task):
    """A network trained with cross-entropy.

    Args:
        network: inputs (N, …) to logits (N, num_classes).
        penalty: added to the training loss.
        optimizer, schedule, metric, mode: see `Task`.
    """

    def __init__(
        self,
        network: nn.Module,
        optimizer: Callable[..., Optimizer],
        schedule: Schedule,
        penalty: Callable[[nn.Module], Tensor | float],
        metric: str,
        mode: Literal["min", "max"],
    ) -> None:
        super().__init__(network, optimizer, schedule, metric, mode)
        self.penalty = penalty
        self.train_loss, self.train_accuracy = Mean(), Mean()
        self.val_loss, self.val_accuracy = Mean(), Mean()
        self.test_loss, self.test_accuracy = Mean(), Mean()

    def forward(self, inputs: Tensor) -> Tensor:
        return self.network(inputs)

    def training_step(self, batch: Batch, batch_index: int) -> Tensor:
        inputs, classes = batch
        logits = self.network(inputs)
        loss = F.cross_entropy(logits, classes)
        self.train_loss.add(loss, len(classes))
        self.train_accuracy.add(accuracy(logits, classes), len(classes))
        return loss + self.penalty(self.network)

    def on_train_epoch_end(self) -> None:
        self.log_metrics("train", {"loss": self.train_loss, "accuracy": self.train_accuracy})

    def validation_step(self, batch: Batch, batch_index: int) -> None:
        inputs, classes = batch
        logits = self.network(inputs)
        self.val_loss.update(F.cross_entropy(logits, classes), len(classes))
        self.val_accuracy.update(accuracy(logits, classes), len(classes))

    def on_validation_epoch_end(self) -> None:
        self.log_metrics("val", {"loss": self.val_loss, "accuracy": self.val_accuracy})

    def test_step(self, batch: Batch, batch_index: int) -> None:
        inputs, classes = batch
        logits = self.network(inputs)
        self.test_loss.update(F.cross_entropy(logits, classes), len(classes))
        self.test_accuracy.update(accuracy(logits, classes), len(classes))

    def on_test_epoch_end(self) -> None:
        self.log_metrics("test", {"loss": self.test_loss, "accuracy": self.test_accuracy})

    def answers(self, prediction: Tensor) -> list[dict[str, Any]]:
        """For each input the most probable class and its probability."""
        probability, classes = prediction.softmax(1).max(1)
        pairs = zip(classes.tolist(), probability.tolist(), strict=True)
        return [{"class": label, "probability": round(share, 4)} for label, share in pairs]


def accuracy(logits: Tensor, classes: Tensor) -> Tensor:
    """Share of rows of logits (N, C) whose largest value is at the class (N,): a scalar."""
    return (logits.argmax(1) == classes).float().mean()
