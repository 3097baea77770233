"""The task of reading the time from an image of a clock (Leiden report, assignment 2)."""

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from atelier.metrics.common_sense import CommonSenseError, common_sense_error
from atelier.metrics.mean import Mean
from atelier.tasks.encodings import Encoding, minutes_of
from atelier.tasks.task import Task

Batch = tuple[Tensor, Tensor]  # images (N, 1, H, W), times (N, 2) as hour and minute


class ClockReader(Task):
    """A network whose outputs an encoding decodes to a time.

    Outputs with a NaN or infinite number have the largest error, 360 minutes.

    Args:
        encoding: defines the loss, and decodes outputs to minutes.
        penalty: function of the network that is added to the training loss.
        quarter_turns: in test and prediction, use the encoding's mean of the outputs for an image and its three quarter
            turns. A turned clock shows the same time, but is seldom misread in the same way. Training and validation
            read an image once.
        **options: see `Task`; `network` maps images (N, 1, H, W) to outputs (N, Σencoding.outputs).
    """

    def __init__(
        self,
        encoding: Encoding,
        penalty: Callable[[nn.Module], Tensor | float],
        quarter_turns: bool = False,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        self.encoding = encoding
        self.quarter_turns = quarter_turns
        self.penalty = penalty
        self.train_loss, self.train_error = Mean(), Mean()
        self.val_loss, self.val_error = Mean(), CommonSenseError()
        self.test_loss, self.test_error = Mean(), CommonSenseError()

    def outputs(self) -> tuple[int, str]:
        return sum(self.encoding.outputs), f"encoding.outputs={list(self.encoding.outputs)}"

    def forward(self, pictures: Tensor) -> Tensor:
        if self.training or not self.quarter_turns:
            return self.network(pictures)
        return self.encoding.mean(torch.stack([self.network(pictures.rot90(turns, (2, 3))) for turns in range(4)]))

    def training_step(self, batch: Batch, batch_index: int) -> Tensor:
        pictures, times = batch
        prediction = self.network(pictures)
        loss = self.encoding.loss(prediction, times)
        self.train_loss.update(loss, len(times))
        self.train_error.update(self.errors(prediction.detach(), times).mean(), len(times))
        return loss + self.penalty(self.network)

    def log_training(self) -> None:
        self.log_metrics("train", {"loss": self.train_loss, "common_sense_error": self.train_error})

    def validation_step(self, batch: Batch, batch_index: int) -> None:
        pictures, times = batch
        prediction = self.network(pictures)  # without quarter turns, comparable with training
        self.val_loss.update(self.encoding.loss(prediction, times), len(times))
        self.val_error.update(self.encoding.decode(prediction), minutes_of(times))

    def on_validation_epoch_end(self) -> None:
        self.log_metrics("val", {"loss": self.val_loss, "common_sense_error": self.val_error})

    def test_step(self, batch: Batch, batch_index: int) -> dict[str, Tensor]:
        pictures, times = batch
        prediction = self(pictures)
        self.test_loss.update(self.encoding.loss(prediction, times), len(times))
        minutes = self.encoding.decode(prediction)
        self.test_error.update(minutes, minutes_of(times))
        predicted = torch.stack([minutes // 60, minutes % 60], 1)
        return {"error": self.errors(prediction, times), "predicted": predicted, "true": times}

    def on_test_epoch_end(self) -> None:
        self.log_metrics("test", {"loss": self.test_loss, "common_sense_error": self.test_error})

    def errors(self, prediction: Tensor, times: Tensor) -> Tensor:
        """The common-sense error (N,) of each sample, in minutes."""
        return common_sense_error(self.encoding.decode(prediction), minutes_of(times))

    def captions(self, labels: Tensor) -> list[str]:
        """Times (N, 2) as texts such as '10:09'."""
        return [clock_time(hour * 60 + minute) for hour, minute in labels.tolist()]

    def answers(self, prediction: Tensor) -> list[dict[str, Any]]:
        """The time of each image as '10:09' and as minutes since 12 o'clock, None if the outputs are not finite."""
        minutes = self.encoding.decode(prediction).tolist()
        return [
            {"time": clock_time(value), "minutes": None if math.isnan(value) else round(value, 2) % 720}
            for value in minutes
        ]


def clock_time(minutes: float) -> str:
    """Minutes since 12 o'clock as a time on a clock.

    >>> clock_time(9.4), clock_time(719.8), clock_time(609), clock_time(math.nan)
    ('12:09', '12:00', '10:09', 'no time')
    """
    if math.isnan(minutes):
        return "no time"
    whole = round(minutes) % 720
    return f"{whole // 60 or 12}:{whole % 60:02d}"
