"""How a time becomes numbers that a network can learn, and how its outputs become a time again.

The five encodings of the Leiden report 'Tell the time': regression, classification, multi-head, label transformation
(here `Angles`), the fifth that it proposed and did not try (`MultiheadAngles`), and one of ours (`Ticks`). All share
one interface:

- `outputs`: the size of each of the network's dense branches, concatenated in this order;
- `loss(prediction (N, Σoutputs), times (N, 2)) -> scalar`;
- `decode(prediction (N, Σoutputs)) -> (N,)` minutes in [0, 720).

`times` holds hour 0–11 and minute 0–59. `ideal(times)` is the prediction that a perfect network would make.
"""

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from atelier.errors import InputError

HALF_DAY = 720  # minutes on the clock's face


class Encoding:
    """What all encodings share: the declared output sizes, checked against those that the encoding has."""

    sizes: tuple[int, ...]

    def __init__(self, outputs: Sequence[int]) -> None:
        if tuple(outputs) != self.sizes:
            raise InputError(f"encoding.outputs={list(outputs)}: {type(self).__name__} has {list(self.sizes)}")
        self.outputs = tuple(outputs)

    def loss(self, prediction: Tensor, times: Tensor) -> Tensor:
        raise NotImplementedError

    def decode(self, prediction: Tensor) -> Tensor:
        raise NotImplementedError

    def ideal(self, times: Tensor) -> Tensor:
        raise NotImplementedError


class Regression(Encoding):
    """Hours as one number in [0, 12), mean squared error."""

    sizes = (1,)

    def loss(self, prediction: Tensor, times: Tensor) -> Tensor:
        return F.mse_loss(prediction, self.ideal(times))

    def decode(self, prediction: Tensor) -> Tensor:
        return on_face(prediction[:, 0] * 60)

    def ideal(self, times: Tensor) -> Tensor:
        return (minutes_of(times) / 60)[:, None]  # (N, 1)


class Classification(Encoding):
    """One class per interval of `interval` minutes, cross-entropy; a class is read as its interval's centre."""

    def __init__(self, interval: int, outputs: Sequence[int]) -> None:
        if interval < 1 or HALF_DAY % interval:
            raise InputError(f"encoding.interval={interval}: give a divisor of {HALF_DAY}, such as 1, 15 or 30 minutes")
        self.interval = interval
        self.sizes = (HALF_DAY // interval,)
        super().__init__(outputs)

    def classes(self, times: Tensor) -> Tensor:
        return (times[:, 0] * 60 + times[:, 1]) // self.interval  # (N,)

    def loss(self, prediction: Tensor, times: Tensor) -> Tensor:
        return F.cross_entropy(prediction, self.classes(times))

    def decode(self, prediction: Tensor) -> Tensor:
        return (prediction.argmax(1) + 0.5) * self.interval - 0.5  # the mean of the interval's whole minutes

    def ideal(self, times: Tensor) -> Tensor:
        return one_hot_logits(self.classes(times), self.sizes[0])


class Multihead(Encoding):
    """Twelve hour classes (cross-entropy) and the minutes as a share of the hour (mean squared error).

    `minute_weight` balances the two losses; the report is silent about it.
    """

    sizes = (12, 1)

    def __init__(self, outputs: Sequence[int], minute_weight: float = 1.0) -> None:
        super().__init__(outputs)
        self.minute_weight = minute_weight

    def loss(self, prediction: Tensor, times: Tensor) -> Tensor:
        hour, minute = prediction.split(self.sizes, 1)  # (N, 12), (N, 1)
        return F.cross_entropy(hour, times[:, 0]) + self.minute_weight * F.mse_loss(minute, times[:, 1:] / 60)

    def decode(self, prediction: Tensor) -> Tensor:
        hour, minute = prediction.split(self.sizes, 1)
        return on_face(hour.argmax(1) * 60 + minute[:, 0].clamp(0, 59 / 60) * 60)

    def ideal(self, times: Tensor) -> Tensor:
        return torch.cat([one_hot_logits(times[:, 0], 12), times[:, 1:] / 60], 1)


class Angles(Encoding):
    """Sine and cosine of both hands' angles, mean squared error.

    The minute hand tells the minute; the hour hand then only has to say which hour, so that it is read as the hour
    whose hand would be nearest to the predicted angle.
    """

    sizes = (4,)

    def loss(self, prediction: Tensor, times: Tensor) -> Tensor:
        return F.mse_loss(prediction, self.ideal(times))

    def decode(self, prediction: Tensor) -> Tensor:
        hour, minute = prediction[:, :2], prediction[:, 2:]
        share = turn_of(minute)  # of an hour, [0, 1)
        return on_face(((turn_of(hour) * 12 - share).round() + share) * 60)

    def ideal(self, times: Tensor) -> Tensor:
        minutes = minutes_of(times)
        return torch.cat([sine_and_cosine(minutes / HALF_DAY), sine_and_cosine(minutes / 60)], 1)


class MultiheadAngles(Encoding):
    """Twelve hour classes (cross-entropy), and sine and cosine of the minute hand's angle (mean squared error)."""

    sizes = (12, 2)

    def __init__(self, outputs: Sequence[int], minute_weight: float = 1.0) -> None:
        super().__init__(outputs)
        self.minute_weight = minute_weight

    def loss(self, prediction: Tensor, times: Tensor) -> Tensor:
        hour, minute = prediction.split(self.sizes, 1)  # (N, 12), (N, 2)
        target = sine_and_cosine(times[:, 1] / 60)
        return F.cross_entropy(hour, times[:, 0]) + self.minute_weight * F.mse_loss(minute, target)

    def decode(self, prediction: Tensor) -> Tensor:
        hour, minute = prediction.split(self.sizes, 1)
        return on_face(hour.argmax(1) * 60 + turn_of(minute) * 60)

    def ideal(self, times: Tensor) -> Tensor:
        return torch.cat([one_hot_logits(times[:, 0], 12), sine_and_cosine(times[:, 1] / 60)], 1)


class Ticks(Encoding):
    """Which of the 60 ticks each hand points at; the Kullback-Leibler divergence from that, summed over hands; ours.

    A hand between two ticks belongs to both, the more to the nearer. Of the 720 times the one is read whose ticks the
    network finds most likely, so that a misplaced hour hand cannot contradict the minute hand.
    """

    sizes = (60, 60)

    def __init__(self, outputs: Sequence[int]) -> None:
        super().__init__(outputs)
        minutes = torch.arange(HALF_DAY)
        self.all_times = self.ticks(torch.stack([minutes // 60, minutes % 60], 1))  # (720, 120)

    def ticks(self, times: Tensor) -> Tensor:
        """Times (N, 2) to the shares of the hour hand's and the minute hand's ticks, (N, 120)."""
        hour = (minutes_of(times) / 12)[:, None]  # in ticks, [0, 60)
        distance = (hour - torch.arange(60, device=times.device)).abs()
        near = (1 - torch.minimum(distance, 60 - distance)).clamp(min=0)
        return torch.cat([near, F.one_hot(times[:, 1], 60)], 1)

    def log_probabilities(self, prediction: Tensor) -> Tensor:
        return prediction.float().unflatten(1, (2, 60)).log_softmax(2).flatten(1)  # (N, 120)

    def loss(self, prediction: Tensor, times: Tensor) -> Tensor:
        shares = self.ticks(times)
        return (torch.xlogy(shares, shares) - shares * self.log_probabilities(prediction)).sum(1).mean()

    def decode(self, prediction: Tensor) -> Tensor:
        likelihood = self.log_probabilities(prediction) @ self.all_times.to(prediction.device).T  # (N, 720)
        return likelihood.argmax(1).float()

    def ideal(self, times: Tensor) -> Tensor:
        return (self.ticks(times) + 1e-9).log()


def minutes_of(times: Tensor) -> Tensor:
    """Minutes since 12 o'clock of times (N, 2): (N,) float in [0, 720)."""
    return (times[:, 0] * 60 + times[:, 1]).float()


def on_face(minutes: Tensor) -> Tensor:
    """Minutes brought into [0, 720). In 32 bits -1e-6 % 720 is 720 itself, hence the second step."""
    wrapped = minutes.float() % HALF_DAY
    return torch.where(wrapped >= HALF_DAY, wrapped - HALF_DAY, wrapped)


def sine_and_cosine(turns: Tensor) -> Tensor:
    """(N,) whole turns to (N, 2)."""
    angle = turns * (2 * math.pi)
    return torch.stack([angle.sin(), angle.cos()], 1)


def turn_of(sine_cosine: Tensor) -> Tensor:
    """(N, 2) sine and cosine, of any length, to (N,) whole turns in [0, 1)."""
    sine, cosine = sine_cosine.float().unbind(1)
    turns = torch.atan2(sine, cosine) / (2 * math.pi)
    return turns - turns.floor().clamp(max=0)


def one_hot_logits(classes: Tensor, count: int) -> Tensor:
    """Logits (N, count) that are all but certain of `classes` (N,)."""
    return F.one_hot(classes, count).float() * 50
