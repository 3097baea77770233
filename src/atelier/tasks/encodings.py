"""Encodings of times: define a network's outputs and loss, and decode outputs to times.

They are the encodings of the Leiden report 'Tell the time': regression, classification, multi-head, label
transformation, and a fifth that the report proposed but did not try (`MultiheadAngles`); and two of our own, `Angles`
and `Ticks`, in which a hand corrects the other. Their interface:

- `outputs`: the size of each of the network's dense branches, concatenated in this order;
- `loss(prediction (N, Σoutputs), times (N, 2)) -> scalar`;
- `decode(prediction (N, Σoutputs)) -> (N,)` minutes in [0, 720);
- `mean(predictions (K, N, Σoutputs)) -> (N, Σoutputs)`: the mean of several predictions for the same clock.

`times` holds hour 0–11 and minute 0–59. `ideal(times)` is the prediction of a perfect network. All computations are in
32 bits or more, at any precision of the prediction.
"""

import math
from collections.abc import Sequence
from typing import Annotated

import torch
import torch.nn.functional as F
from annotated_types import Ge
from torch import Tensor

from atelier.errors import InputError
from atelier.losses.precision import full
from atelier.tasks.circle import HALF_DAY, mean_turn, minutes_of, on_face, sine_and_cosine, turn_of
from atelier.tasks.class_logits import mean_hours, mean_log_probabilities, one_hot_logits

LAST = 59 / 60  # hours, the last minute of an hour


class Encoding:
    """Base class of encodings; an InputError if the configured `outputs` differ from the encoding's `sizes`.

    A subclass defines `read`, `mean` and `ideal`, and may define `loss` and `blur`.
    """

    sizes: tuple[int, ...]

    def __init__(self, outputs: Sequence[int]) -> None:
        if tuple(outputs) != self.sizes:
            raise InputError(f"encoding.outputs={list(outputs)}: {type(self).__name__} has {list(self.sizes)}")
        self.outputs = tuple(outputs)

    def branches(self, prediction: Tensor) -> tuple[Tensor, ...]:
        """Split a prediction (…, Σoutputs) into the network's branches, in 32 bits or more."""
        return full(prediction).split(self.sizes, -1)

    def loss(self, prediction: Tensor, times: Tensor) -> Tensor:
        """The mean squared error to the ideal prediction, a scalar; subclasses may define another loss."""
        return F.mse_loss(full(prediction), self.ideal(times))

    def decode(self, prediction: Tensor) -> Tensor:
        """The minutes (N,) of a prediction (N, Σoutputs); NaN if the prediction has a NaN or infinite number."""
        minutes = on_face(self.read(*self.branches(prediction)))
        return minutes.where(prediction.isfinite().all(1), math.nan)

    def blur(self, predictions: Tensor) -> Tensor:
        """The mean loss (N,) of predictions (N, K, Σoutputs), were what each says the true time, to the minute."""
        count, turns = predictions.shape[:2]
        minutes = self.decode(predictions.flatten(0, 1)).nan_to_num().round() % HALF_DAY
        times = torch.stack([minutes // 60, minutes % 60], 1).long().view(count, turns, 2)
        return torch.stack([self.loss(*one) for one in zip(predictions, times, strict=True)])

    def read(self, *branches: Tensor) -> Tensor:
        """The minutes (N,) of the branches of a finite prediction, modulo 720."""
        raise NotImplementedError

    def mean(self, predictions: Tensor) -> Tensor:
        raise NotImplementedError

    def ideal(self, times: Tensor) -> Tensor:
        raise NotImplementedError


class Regression(Encoding):
    """Hours as a number in [0, 12), mean squared error.

    A network in bf16 gives them in steps of up to 4 minutes; trainer.precision=32-true has none.

    The mean of several predictions is their mean on the circle, as the number nearest to the first prediction.
    """

    sizes = (1,)

    def read(self, hours: Tensor) -> Tensor:  # type: ignore[override]
        return hours[:, 0] * 60

    def blur(self, predictions: Tensor) -> Tensor:
        """0, since any number of hours is a time; beyond twelve the loss would be that of half a day and more.

        NaN for predictions that are not finite.
        """
        return (predictions * 0).mean((1, 2))

    def mean(self, predictions: Tensor) -> Tensor:
        turns = full(predictions) / 12
        ahead = mean_turn(turns) - turns[0]
        return (turns[0] + ahead - ahead.round()) * 12

    def ideal(self, times: Tensor) -> Tensor:
        return (minutes_of(times) / 60)[:, None]  # (N, 1)


class Classification(Encoding):
    """A class for every `interval` minutes, cross-entropy; a class is decoded as the centre of its interval.

    The mean of several predictions is the mean of their probabilities.
    """

    def __init__(self, interval: Annotated[int, Ge(1)], outputs: Sequence[int]) -> None:
        if HALF_DAY % interval:
            raise InputError(f"encoding.interval={interval}: give a divisor of {HALF_DAY}, such as 1, 15 or 30 minutes")
        self.interval = interval
        self.sizes = (HALF_DAY // interval,)
        super().__init__(outputs)

    def classes(self, times: Tensor) -> Tensor:
        return (times[:, 0] * 60 + times[:, 1]) // self.interval  # (N,)

    def loss(self, prediction: Tensor, times: Tensor) -> Tensor:
        return F.cross_entropy(full(prediction), self.classes(times))

    def read(self, logits: Tensor) -> Tensor:  # type: ignore[override]
        return (logits.argmax(1).float() + 0.5) * self.interval - 0.5  # the mean of the interval's integer minutes

    def mean(self, predictions: Tensor) -> Tensor:
        return mean_log_probabilities(full(predictions))

    def ideal(self, times: Tensor) -> Tensor:
        return one_hot_logits(self.classes(times), self.sizes[0])


class Multihead(Encoding):
    """Twelve hour classes (cross-entropy) and the minutes as a share of the hour (mean squared error).

    The mean of several predictions is the mean minute on the circle, with the hours in which each prediction has that
    minute: the mean of 12:59 and 1:01 is 1:00.

    `minute_weight` is the weight of the minutes' loss, which the report does not state.
    """

    sizes = (12, 1)

    def __init__(self, outputs: Sequence[int], minute_weight: Annotated[float, Ge(0)] = 1.0) -> None:
        super().__init__(outputs)
        self.minute_weight = minute_weight

    def loss(self, prediction: Tensor, times: Tensor) -> Tensor:
        hour, minute = self.branches(prediction)  # (N, 12), (N, 1)
        target = times[:, 1:].float() / 60
        return F.cross_entropy(hour, times[:, 0]) + self.minute_weight * F.mse_loss(minute, target)

    def read(self, hour: Tensor, minute: Tensor) -> Tensor:  # type: ignore[override]
        return hour.argmax(1) * 60 + minute[:, 0].clamp(0.0, LAST) * 60

    def mean(self, predictions: Tensor) -> Tensor:
        hour, minute = self.branches(predictions)  # (K, N, 12), (K, N, 1)
        shares = minute.clamp(0.0, LAST)
        mean = mean_turn(shares)
        mean = torch.where(mean < LAST + 0.5 / 60, mean, mean - 1)  # rounds up to minute 0 of the next hour
        return torch.cat([mean_hours(hour, shares - mean), mean], 1)

    def ideal(self, times: Tensor) -> Tensor:
        return torch.cat([one_hot_logits(times[:, 0], 12), times[:, 1:].float() / 60], 1)


class LabelTransformation(Encoding):
    """Sine and cosine of the hour 0–11 and of the minute 0–59 as angles, mean squared error.

    The hour is decoded as the nearest integer hour, independently of the minute, unlike `Angles`. The mean of several
    predictions is the mean of their points, with the hours in which each prediction has the mean minute.
    """

    sizes = (4,)

    def read(self, angles: Tensor) -> Tensor:  # type: ignore[override]
        hour, minute = angles.chunk(2, 1)  # (N, 2) each
        return (turn_of(hour) * 12).round() * 60 + turn_of(minute) * 60

    def mean(self, predictions: Tensor) -> Tensor:
        hour, minute = full(predictions).chunk(2, 2)  # (K, N, 2) each
        mean = minute.mean(0)
        later = (turn_of(minute) - turn_of(mean)).round()  # in hours: 1 if a minute of 59 rounds up to a mean of 0
        return torch.cat([sine_and_cosine(turn_of(hour) + later / 12).mean(0), mean], 1)

    def ideal(self, times: Tensor) -> Tensor:
        hour, minute = times.float().unbind(1)
        return torch.cat([sine_and_cosine(hour / 12), sine_and_cosine(minute / 60)], 1)


class Angles(Encoding):
    """Sine and cosine of the angles of both hands, mean squared error (ours).

    The minute is decoded from the minute hand; the hour is the one for which, at this minute, the hour hand is nearest
    to the predicted angle. The mean of several predictions is the mean of their points.

    Args:
        whole_minutes: whether a time is decoded to the nearest whole minute, as labels are.
    """

    sizes = (4,)

    def __init__(self, outputs: Sequence[int], whole_minutes: bool = False) -> None:
        super().__init__(outputs)
        self.whole_minutes = whole_minutes

    def read(self, hands: Tensor) -> Tensor:  # type: ignore[override]
        hour, minute = hands.chunk(2, 1)  # (N, 2) each
        share = turn_of(minute)  # in hours, [0, 1)
        times = ((turn_of(hour) * 12 - share).round() + share) * 60
        return times.round() if self.whole_minutes else times

    def mean(self, predictions: Tensor) -> Tensor:
        return full(predictions).mean(0)

    def ideal(self, times: Tensor) -> Tensor:
        minutes = minutes_of(times)
        return torch.cat([sine_and_cosine(minutes / HALF_DAY), sine_and_cosine(minutes / 60)], 1)


class MultiheadAngles(Encoding):
    """Twelve hour classes (cross-entropy), and sine and cosine of the minute hand's angle (mean squared error).

    The mean of several predictions is like that of `Multihead`.
    """

    sizes = (12, 2)

    def __init__(self, outputs: Sequence[int], minute_weight: Annotated[float, Ge(0)] = 1.0) -> None:
        super().__init__(outputs)
        self.minute_weight = minute_weight

    def loss(self, prediction: Tensor, times: Tensor) -> Tensor:
        hour, minute = self.branches(prediction)  # (N, 12), (N, 2)
        target = sine_and_cosine(times[:, 1].float() / 60)
        return F.cross_entropy(hour, times[:, 0]) + self.minute_weight * F.mse_loss(minute, target)

    def read(self, hour: Tensor, minute: Tensor) -> Tensor:  # type: ignore[override]
        return hour.argmax(1) * 60 + turn_of(minute) * 60

    def mean(self, predictions: Tensor) -> Tensor:
        hour, minute = self.branches(predictions)  # (K, N, 12), (K, N, 2)
        mean = minute.mean(0)
        return torch.cat([mean_hours(hour, (turn_of(minute) - turn_of(mean))[..., None]), mean], 1)

    def ideal(self, times: Tensor) -> Tensor:
        return torch.cat([one_hot_logits(times[:, 0], 12), sine_and_cosine(times[:, 1].float() / 60)], 1)


class Ticks(Encoding):
    """A distribution over the 60 ticks for each hand; Kullback-Leibler divergence, summed over hands (ours).

    The probability of a hand between two ticks is shared by both, linearly in the distance. A prediction is decoded as
    the most likely of the 720 times, so that the hour hand cannot contradict the minute hand. The mean of several
    predictions is the mean of their probabilities.
    """

    sizes = (60, 60)

    def __init__(self, outputs: Sequence[int]) -> None:
        super().__init__(outputs)
        minutes = torch.arange(HALF_DAY)
        self.all_times = self.ticks(torch.stack([minutes // 60, minutes % 60], 1))  # (720, 120)

    def ticks(self, times: Tensor) -> Tensor:
        """Times (N, 2) to the probabilities (N, 120) of the hour hand's and the minute hand's ticks."""
        hour = (minutes_of(times) / 12)[:, None]  # in ticks, [0, 60)
        distance = (hour - torch.arange(60, device=times.device)).abs()
        near = (1 - torch.minimum(distance, 60 - distance)).clamp(min=0)
        return torch.cat([near, F.one_hot(times[:, 1], 60)], 1)

    def loss(self, prediction: Tensor, times: Tensor) -> Tensor:
        shares = self.ticks(times)
        likelihood = torch.cat([hand.log_softmax(1) for hand in self.branches(prediction)], 1)  # (N, 120)
        return (torch.xlogy(shares, shares) - shares * likelihood).sum(1).mean()

    def read(self, hour: Tensor, minute: Tensor) -> Tensor:  # type: ignore[override]
        of_ticks = torch.cat([hour.log_softmax(1), minute.log_softmax(1)], 1)  # (N, 120)
        with torch.autocast(of_ticks.device.type, enabled=False):  # autocast would multiply in 16 bits
            of_times = of_ticks @ self.all_times.to(of_ticks).T  # (N, 720)
        return of_times.argmax(1).float()

    def mean(self, predictions: Tensor) -> Tensor:
        return torch.cat([mean_log_probabilities(hand) for hand in self.branches(predictions)], 1)

    def ideal(self, times: Tensor) -> Tensor:
        return (self.ticks(times) + 1e-9).log()
