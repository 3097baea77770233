"""The task of reading the time from an image of a clock (Leiden report, assignment 2)."""

import math
import sys
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

import torch
from torch import Tensor, nn

from atelier.metrics.common_sense import CommonSenseError, common_sense_error
from atelier.metrics.mean import Mean
from atelier.project import command
from atelier.tasks.circle import HALF_DAY, minutes_of
from atelier.tasks.encodings import Encoding
from atelier.tasks.sureness import Sureness, spread
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
            read an image once, and so do all where images are not square.
        **options: see `Task`; `network` maps images (N, 1, H, W) to outputs (N, Σencoding.outputs).
    """

    export_outputs = ("outputs", "minutes")  # of the encoding (N, Σencoding.outputs), and since 12 o'clock (N,)

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

    def export_step(self, inputs: Tensor) -> tuple[Tensor, ...]:
        outputs = self(inputs)
        return outputs, self.encoding.decode(outputs)

    def export_differences(self, found: tuple[Tensor, ...], expected: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        """On the circle, and with the minutes of the found outputs: the last digit of an output may decide the hour."""
        outputs, minutes = found
        ahead = minutes - self.encoding.decode(outputs)
        return outputs - expected[0], (ahead + HALF_DAY / 2).remainder(HALF_DAY) - HALF_DAY / 2

    def outputs(self) -> tuple[int, str]:
        return sum(self.encoding.outputs), f"encoding.outputs={list(self.encoding.outputs)}"

    def forward(self, pictures: Tensor) -> Tensor:
        if self.training or not self.quarter_turns:
            return self.network(pictures)
        return self.encoding.mean(self.turned(pictures))

    def turned(self, pictures: Tensor) -> Tensor:
        """The network's outputs (K, N, Σencoding.outputs) for pictures (N, 1, H, W) in K = 4 quarter turns.

        Pictures that are not square, which a network of H × W does not know in a quarter turn, are read in K = 1.
        """
        turns = 4 if pictures.shape[2] == pictures.shape[3] else 1
        return torch.stack([self.network(pictures.rot90(turn, (2, 3))) for turn in range(turns)])

    def predict_step(self, batch: Any, batch_index: int) -> Tensor:
        """The outputs (N, K, Σencoding.outputs) in K quarter turns, see `turned`."""
        return self.turned(batch[0]).transpose(0, 1)

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
        data = self.trainer.datamodule  # type: ignore[attr-defined]
        if self.recorded is not None and hasattr(data, "sets"):  # a user's own loaders have none
            self.calibrate(data)

    @torch.no_grad()
    def calibrate(self, data: Any) -> None:
        """Let `recorded` have the network's sureness, from all validation pictures of a data module."""
        validation = data.sets["val"]
        parts = []
        for rows in torch.arange(len(validation)).split(data.eval_batch_size):
            pictures, labels = data.transfer_batch_to_device(validation[rows], self.device, 0)
            parts.append((self.predict_step((data.normalise(pictures),), 0).cpu(), labels.cpu()))
        predictions, times = map(torch.cat, zip(*parts, strict=True))
        answer, differences = self.read(predictions)
        errors = common_sense_error(answer, minutes_of(times))
        sureness = Sureness.calibrated(differences, self.encoding.blur(predictions), errors)
        self.recorded = {"sureness": asdict(sureness)}

    def errors(self, prediction: Tensor, times: Tensor) -> Tensor:
        """The common-sense error (N,) of each sample, in minutes."""
        return common_sense_error(self.encoding.decode(prediction), minutes_of(times))

    def captions(self, labels: Tensor) -> list[str]:
        """Times (N, 2) as texts such as '10:09'."""
        return [clock_time(hour * 60 + minute) for hour, minute in labels.tolist()]

    def read(self, predictions: Tensor) -> tuple[Tensor, Tensor]:
        """The answers (N,) of predictions (N, K, Σencoding.outputs) in K turns, and the spread (N,), in minutes."""
        turns = predictions.shape[1]
        said = self.encoding.decode(predictions.flatten(0, 1)).view(-1, turns)
        answer = (
            self.encoding.decode(self.encoding.mean(predictions.transpose(0, 1))) if self.quarter_turns else said[:, 0]
        )
        return answer, spread(answer, said)

    def answers(self, prediction: Tensor) -> list[dict[str, Any]]:
        """The time of each picture, and how sure it is.

        Args:
            prediction: outputs (N, K, Σencoding.outputs) in K quarter turns, as `predict_step` returns them; or (N,
                Σencoding.outputs), which do not say how sure they are.

        Returns:
            `time`, such as '10:09', and `minutes` since 12 o'clock, 'no time' and None if the outputs are not finite;
            of several turns, `spread` in minutes; and if `recorded` has the network's `sureness`, `sure` and
            `probability`.
        """
        predictions = prediction if prediction.dim() == 3 else prediction[:, None]
        minutes, differences = self.read(predictions)
        answers: list[dict[str, Any]] = [
            {"time": clock_time(value), "minutes": None if math.isnan(value) else round(value, 2) % 720}
            for value in minutes.tolist()
        ]
        if predictions.shape[1] == 1:
            return answers
        for answer, difference in zip(answers, differences.tolist(), strict=True):
            answer["spread"] = round(difference, 2)
        sureness = Sureness.recorded((self.recorded or {}).get("sureness"))
        if sureness is None:
            told = "the network, as it is used here, was not calibrated"
            remedy = f"{command('train')} resume=RUN train=false does it (checkpoint=last: for last.ckpt)"
            print(f"how sure the answers are is not known: {told}; {remedy}", file=sys.stderr)
            return answers
        sures = sureness.told(differences, self.encoding.blur(predictions))
        return [answer | sure for answer, sure in zip(answers, sures, strict=True)]


def clock_time(minutes: float) -> str:
    """Minutes since 12 o'clock as a time on a clock.

    >>> clock_time(9.4), clock_time(719.8), clock_time(609), clock_time(math.nan)
    ('12:09', '12:00', '10:09', 'no time')
    """
    if math.isnan(minutes):
        return "no time"
    whole = round(minutes) % 720
    return f"{whole // 60 or 12}:{whole % 60:02d}"
