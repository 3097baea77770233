"""The task of comparing two digits: is the first at most the second (EE559 report)?"""

from collections.abc import Callable
from typing import Annotated, Any, NamedTuple

import torch
import torch.nn.functional as F
from annotated_types import Ge
from torch import Tensor, nn

from atelier.metrics.mean import Mean, Share
from atelier.metrics.predicted import NO_CLASS, correct, most_probable, predicted
from atelier.tasks.classes import classes_told_apart
from atelier.tasks.task import Task

Batch = tuple[Tensor, Tensor]  # pairs (N, 2, H, W), labels (N, 3): first ≤ second (0 or 1), class of each digit
STAGES = ("train", "val", "test")
METRICS = {"loss": Mean, "accuracy": Share, "auxiliary_loss": Mean, "digit_accuracy": Share}


class Compared(NamedTuple):
    """Predictions for pairs, and the true answers.

    Args:
        comparison: logits (N, 2) of first > second and first ≤ second.
        digits: class logits (2N, C) of both digits, pair by pair.
        answers: (N,) whether first ≤ second.
        classes: (2N,) true classes of both digits, pair by pair.
    """

    comparison: Tensor
    digits: Tensor
    answers: Tensor
    classes: Tensor


class PairComparer(Task):
    """A network trained with the cross-entropy of the comparison, and of the classification of each digit.

    Metrics: `auxiliary_loss` is the sum of the cross-entropies of both digits, `accuracy` the accuracy of the
    comparison, `digit_accuracy` the accuracy of single digits.

    Args:
        auxiliary_weight: weight of each digit's cross-entropy in the training loss.
        penalty: function of the network that is added to the training loss.
        **options: see `Task`; `network` maps pairs (N, 2, H, W) to logits (N, 2 + 2 · C), as `PairNetwork` does.
    """

    export_outputs = ("logits",)

    def __init__(
        self,
        auxiliary_weight: Annotated[float, Ge(0)],
        penalty: Callable[[nn.Module], Tensor | float],
        **options: Any,
    ) -> None:
        super().__init__(**options)
        self.auxiliary_weight = auxiliary_weight
        self.penalty = penalty
        for stage in STAGES:
            for name, kind in METRICS.items():
                setattr(self, f"{stage}_{name}", kind())

    def outputs(self) -> tuple[int, str] | None:
        count = classes_told_apart(self)
        return None if count is None else (2 + 2 * count, f"data.num_classes={count}")

    def forward(self, pairs: Tensor) -> Tensor:
        return self.network(pairs)

    def training_step(self, batch: Batch, batch_index: int) -> Tensor:
        loss, auxiliary_loss = self.measure("train", compared(self.network(batch[0]), batch[1]))
        return loss + self.auxiliary_weight * auxiliary_loss + self.penalty(self.network)

    def log_training(self) -> None:
        self.log_metrics("train", self.metrics_of("train"))

    def validation_step(self, batch: Batch, batch_index: int) -> None:
        self.measure("val", compared(self.network(batch[0]), batch[1]))

    def on_validation_epoch_end(self) -> None:
        self.log_metrics("val", self.metrics_of("val"))

    def test_step(self, batch: Batch, batch_index: int) -> dict[str, Tensor]:
        """Update the metrics; return each pair's `error`, the probability of the wrong answer, and its labels."""
        result = compared(self.network(batch[0]), batch[1])
        self.measure("test", result)
        wrong = result.comparison.softmax(1).gather(1, 1 - result.answers[:, None])[:, 0]
        read = predicted(result.digits).view(-1, 2)
        said = torch.cat([predicted(result.comparison)[:, None], read], 1)
        return {"error": wrong, "predicted": said, "true": batch[1]}

    def on_test_epoch_end(self) -> None:
        self.log_metrics("test", self.metrics_of("test"))

    def measure(self, stage: str, result: Compared) -> tuple[Tensor, Tensor]:
        """Add losses and accuracies to the metrics of a stage; return the loss and the auxiliary loss."""
        loss = F.cross_entropy(result.comparison, result.answers)
        auxiliary_loss = 2 * F.cross_entropy(result.digits, result.classes)  # the first digit's and the second's
        metrics = self.metrics_of(stage)
        for name, value in (("loss", loss), ("auxiliary_loss", auxiliary_loss)):
            metrics[name].update(value, len(result.answers))
        metrics["accuracy"].update(correct(result.comparison, result.answers))
        metrics["digit_accuracy"].update(correct(result.digits, result.classes))
        return loss, auxiliary_loss

    def metrics_of(self, stage: str) -> dict[str, Any]:
        return {name: getattr(self, f"{stage}_{name}") for name in METRICS}

    def captions(self, labels: Tensor) -> list[str]:
        """Labels (N, 3) as texts such as '3 ≤ 7', with '?' for what a network does not say."""
        signs = {1: "≤", 0: ">", NO_CLASS: "?"}
        return [
            " ".join("?" if part == NO_CLASS else str(part) for part in (first, signs[at_most], second))
            for at_most, first, second in labels.tolist()
        ]

    def answers(self, prediction: Tensor) -> list[dict[str, Any]]:
        """Of each pair: whether first ≤ second, the probability of that answer, and both digits; None for no answer."""
        parts = [prediction[:, :2], *prediction[:, 2:].chunk(2, 1)]
        truth = {0: False, 1: True, None: None}
        return [
            {"first ≤ second": truth[at_most], "probability": share, "first": first, "second": second}
            for (at_most, share), (first, _), (second, _) in zip(*map(most_probable, parts), strict=True)
        ]


def compared(output: Tensor, labels: Tensor) -> Compared:
    """Split a network's output (N, 2 + 2 · C) and the labels (N, 3)."""
    digits = output[:, 2:].reshape(2 * len(output), -1)
    return Compared(output[:, :2], digits, labels[:, 0], labels[:, 1:].reshape(-1))
