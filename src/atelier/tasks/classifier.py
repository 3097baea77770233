"""The task of classification."""

import re
import unicodedata
from collections.abc import Callable, Sequence
from typing import Annotated, Any, Literal

import torch
import torch.nn.functional as F
from annotated_types import Ge, Interval
from torch import Tensor, nn

from atelier.errors import InputError
from atelier.metrics.auroc import Auroc
from atelier.metrics.calibration import CalibrationError
from atelier.metrics.confusion import ConfusionMatrix, class_accuracies, macro_f1
from atelier.metrics.mean import Mean, Share
from atelier.metrics.predicted import correct, most_probable, predicted
from atelier.tasks.classes import one_class_each
from atelier.tasks.task import Task

Batch = tuple[Tensor, Tensor]  # inputs (N, …), classes (N,)


class Classifier(Task):
    """A network trained with cross-entropy.

    The test also measures the accuracy of each class (`test/accuracy/<class>`), the means over classes of F1 and of the
    area under the ROC curve (`test/macro_f1`, `test/auroc`), and the expected calibration error. A sample whose largest
    logit is NaN or infinite has no predicted class, and counts as wrong.

    Args:
        penalty: function of the network that is added to the training loss.
        num_classes: number of classes.
        class_weights: factors of the samples' cross-entropies in the training loss, one for each class, or "balanced":
            inverse to the classes' numbers of training samples, with a mean of 1 over these; None: all 1. Validation
            and test weight every sample equally.
        label_smoothing: share of each training target that is spread evenly over all classes (Szegedy et al. 2015,
            arXiv:1512.00567), not in validation and test.
        mirrored: in validation, test and prediction, use the mean of the logits for an image and its mirror image, the
            last axis reversed (as Krizhevsky et al. 2012 do).
        clean_train_accuracy: also log `train/clean_accuracy` and `train/clean_loss`, measured over the whole training
            set without dropout and augmentation: after each epoch, or with each validation if the run counts steps.
            `train/accuracy` and `train/loss` are measured during the epoch, with dropout and augmentation.
        **options: see `Task`; `network` maps inputs (N, …) to logits (N, num_classes).
    """

    export_outputs = ("logits",)
    takes_shares = True
    confident = True  # whether the softmax of the outputs is the network's confidence

    def __init__(
        self,
        penalty: Callable[[nn.Module], Tensor | float],
        num_classes: Annotated[int, Ge(1)],
        label_smoothing: Annotated[float, Interval(ge=0, lt=1)] = 0.0,
        class_weights: Literal["balanced"] | Sequence[Annotated[float, Ge(0)]] | None = None,
        mirrored: bool = False,
        clean_train_accuracy: bool = False,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        self.penalty = penalty
        self.num_classes = num_classes
        self.label_smoothing = label_smoothing
        if class_weights not in (None, "balanced") and (len(class_weights) != num_classes or not any(class_weights)):
            told = f"give {num_classes}, one for each class, not all of them 0"
            raise InputError(f"task.class_weights={list(class_weights)}: {told}")
        self.class_weights = class_weights
        self.register_buffer("weights", None, persistent=False)  # of the classes, (C,)
        self.mirrored = mirrored
        self.clean_train_accuracy = clean_train_accuracy
        self.classes: list[str] | None = None  # the names of the classes, if the data set has any
        self.train_loss, self.train_accuracy = Mean(), Share()
        self.val_loss, self.val_accuracy = Mean(), Share()
        self.test_loss, self.test_accuracy = Mean(), Share()
        self.test_calibration: CalibrationError | None = CalibrationError()  # None: the outputs are no logits
        self.test_confusion, self.test_auroc = ConfusionMatrix(num_classes), Auroc()

    def outputs(self) -> tuple[int, str]:
        count = one_class_each(self)
        if count not in (None, self.num_classes):
            raise InputError(f"task.num_classes={self.num_classes}: the data have data.num_classes={count}")
        return self.num_classes, f"data.num_classes={self.num_classes}"

    def setup(self, stage: str) -> None:
        super().setup(stage)
        if stage == "fit":
            if self.clean_train_accuracy:
                self.own_data("task.clean_train_accuracy")
            if self.class_weights == "balanced":
                self.weights = self.own_data("task.class_weights=balanced").class_weights().to(self.device)
            elif self.class_weights is not None:
                self.weights = torch.tensor(list(self.class_weights), dtype=torch.float32, device=self.device)
        data = self.trainer.datamodule  # type: ignore[attr-defined]
        self.classes = same_classes(getattr(data, "classes", None), self.classes)
        shape = getattr(data, "sequence_shape", getattr(data, "shape", (1, 1, 1)))
        if self.mirrored and len(shape) != 3:
            raise InputError(f"task.mirrored=true: the data are no images but of shape {list(shape)}; give false")

    def forward(self, inputs: Tensor) -> Tensor:
        if self.training or not self.mirrored:
            return self.network(inputs)
        return (self.network(inputs) + self.network(inputs.flip(-1))) / 2

    def training_step(self, batch: Batch, batch_index: int) -> Tensor:
        inputs, classes = batch
        logits = self.network(inputs)
        loss = self.training_loss(logits, classes)
        self.train_loss.update(loss, len(classes))
        self.train_accuracy.update(correct(logits, classes))
        return loss + self.penalty(self.network)

    def training_loss(self, logits: Tensor, classes: Tensor) -> Tensor:
        """The mean over the batch of the samples' weighted cross-entropies, with label smoothing, a scalar.

        Of mixed samples, `classes` are shares (N, C). Torch's mean of classes (N,) divides by the sum of the batch's
        weights instead, which may be 0, and makes a sample's influence depend on the others; and it gives the part of
        a smoothed target that belongs to a rare class that class's weight, so that the rare class is told of all.
        """
        if self.weights is None:
            return F.cross_entropy(logits, classes, label_smoothing=self.label_smoothing)
        weights = self.weights.to(logits.dtype)
        hard = F.cross_entropy(logits, classes, weights, reduction="sum")
        if not self.label_smoothing:
            return hard / len(classes)
        own = weights[classes] if classes.dim() == 1 else (classes * weights).sum(dim=1)  # of each sample, (N,)
        even = -(own * logits.log_softmax(dim=1).mean(dim=1)).sum()
        return hard.lerp(even, self.label_smoothing) / len(classes)

    def log_training(self) -> None:
        self.log_metrics("train", {"loss": self.train_loss, "accuracy": self.train_accuracy})

    def measure_training(self) -> None:
        if self.clean_train_accuracy:
            self.pass_over("train", "train/clean_")

    def validation_step(self, batch: Batch, batch_index: int) -> None:
        inputs, classes = batch
        logits = self(inputs)
        self.val_loss.update(self.evaluation_loss(logits, classes), len(classes))
        self.val_accuracy.update(correct(logits, classes))

    def on_validation_epoch_end(self) -> None:
        self.log_metrics("val", {"loss": self.val_loss, "accuracy": self.val_accuracy})

    def test_step(self, batch: Batch, batch_index: int) -> dict[str, Tensor]:
        inputs, classes = batch
        logits = self(inputs)
        self.test_loss.update(self.evaluation_loss(logits, classes), len(classes))
        self.test_accuracy.update(correct(logits, classes))
        if self.test_calibration is not None:
            self.test_calibration.update(logits, classes)
        self.test_auroc.update(logits, classes)
        self.test_confusion.update(predicted(logits), classes)
        return {"logits": logits, "classes": classes}

    def on_test_epoch_end(self) -> None:
        counts = self.test_confusion.compute().cpu()  # MPS has no 64-bit numbers
        shares = class_accuracies(counts)  # stay tensors: Lightning logs a float in 32 bits
        names = metric_names(self.classes or [str(number) for number in range(len(shares))])
        known = zip(names, shares, strict=True)
        self.log_dict({f"test/accuracy/{name}": share for name, share in known if share == share})
        self.log("test/macro_f1", macro_f1(counts))
        self.test_confusion.reset()
        overall = {"loss": self.test_loss, "accuracy": self.test_accuracy, "auroc": self.test_auroc}
        if self.test_calibration is not None:
            overall["expected_calibration_error"] = self.test_calibration
        self.log_metrics("test", overall)

    def evaluation_loss(self, logits: Tensor, classes: Tensor) -> Tensor:
        """The loss of validation and test, a scalar, without label smoothing and penalty."""
        return F.cross_entropy(logits, classes)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        super().on_save_checkpoint(checkpoint)
        checkpoint["classes"] = self.classes

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        super().on_load_checkpoint(checkpoint)
        self.classes = same_classes(self.classes, checkpoint.get("classes"))

    def captions(self, labels: Tensor) -> list[str]:
        """The names of classes (N,), or their numbers if they have no names."""
        return [self.classes[label] if self.classes else str(label) for label in labels.tolist()]

    def answers(self, prediction: Tensor) -> list[dict[str, Any]]:
        """The most probable class of each input, by name or number, and its probability; None if it has none.

        Outputs that are not `confident` have no probability.
        """
        return [
            {
                "class": self.classes[label] if self.classes and label is not None else label,
                **({"probability": share} if self.confident else {}),
            }
            for label, share in most_probable(prediction)
        ]


def same_classes(there: list[str] | None, learnt: list[str] | None) -> list[str] | None:
    """The names of the classes of the data that are there, or that a checkpoint has learnt; None if neither has any.

    Raises:
        InputError: if the two differ, so that an output would stand for another class.
    """
    names = [[unicodedata.normalize("NFC", name) for name in each or ()] for each in (there, learnt)]
    if there and learnt and names[0] != names[1]:
        told = f"the network has learnt {', '.join(learnt)}, in this order"
        raise InputError(f"data: its classes are {', '.join(there)}; {told}; give the folders or the table these names")
    return there or learnt


def metric_names(classes: Sequence[str]) -> list[str]:
    """Class names as parts of metrics' names; prefixed with the class numbers if they would not be unique.

    >>> metric_names(["T-shirt/top", "Ankle boot"]), metric_names(["+", "-"])
    (['t_shirt_top', 'ankle_boot'], ['0', '1'])
    """
    names = [re.sub(r"\W+", "_", name).strip("_").lower() for name in classes]
    different = len(set(names)) == len(names) and all(names)
    return names if different else [f"{number}_{name}".rstrip("_") for number, name in enumerate(names)]
