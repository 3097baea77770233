"""Every encoding can say every time of the clock, and its loss pulls predictions there."""

import math
from collections.abc import Callable
from functools import cache

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from omegaconf import DictConfig
from torch import Tensor

from atelier.compose.targets import build
from atelier.tasks.encodings import (
    Angles,
    Classification,
    Encoding,
    LabelTransformation,
    Multihead,
    MultiheadAngles,
    Regression,
    Ticks,
)

TIMES = torch.cartesian_prod(torch.arange(12), torch.arange(60))  # (720, 2)
MINUTES = torch.arange(720.0)
Compose = Callable[..., DictConfig]


def apart(a: Tensor, b: Tensor) -> Tensor:
    """Distance on the clock: the nearest of the other time's copies, half a day before and after included."""
    return torch.stack([(a - b + shift).abs() for shift in (-720, 0, 720)]).amin(0)


def hand(minutes: float, period: float) -> list[float]:
    """Sine and cosine of a hand that goes round once in `period` minutes."""
    angle = 2 * math.pi * minutes / period
    return [math.sin(angle), math.cos(angle)]


@pytest.fixture(scope="module")
def encodings(compose: Compose) -> Callable[[str], Encoding]:
    return cache(lambda option: build(compose(f"encoding={option}").encoding))


@pytest.fixture
def encoding(encodings: Callable[[str], Encoding], encoding_option: str) -> Encoding:
    """What the option describes. Tests change nothing in it."""
    return encodings(encoding_option)


# ---------------------------------------------------------------------- every file of conf/encoding


def test_the_ideal_prediction_has_the_declared_sizes(encoding: Encoding) -> None:
    assert encoding.ideal(TIMES).shape == (720, sum(encoding.outputs))


def test_the_ideal_prediction_is_read_as_its_time(encoding: Encoding) -> None:
    interval = getattr(encoding, "interval", 1)
    furthest = apart(encoding.decode(encoding.ideal(TIMES)), MINUTES).max()
    assert furthest <= (interval - 1) / 2 + 0.01


def test_the_loss_of_the_ideal_prediction_is_almost_zero(encoding: Encoding) -> None:
    assert encoding.loss(encoding.ideal(TIMES), TIMES) < 1e-6


@pytest.mark.parametrize("hours", [1, 3, 6, 11])
def test_the_loss_of_another_hour_is_larger(encoding: Encoding, hours: int) -> None:
    other = encoding.ideal(TIMES.roll(60 * hours, 0))
    assert encoding.loss(other, TIMES) > 0.01


def test_the_loss_is_a_scalar_whose_gradient_reaches_every_output(encoding: Encoding) -> None:
    prediction = torch.randn(720, sum(encoding.outputs), generator=torch.Generator().manual_seed(0)).requires_grad_()
    encoding.loss(prediction, TIMES).backward()
    assert prediction.grad is not None
    assert prediction.grad.isfinite().all()
    assert (prediction.grad.abs().sum(0) > 0).all()


def test_following_the_gradient_from_zero_leads_to_the_time(encoding: Encoding) -> None:
    times = TIMES[[17, 200, 431, 700]]
    prediction = torch.zeros(4, sum(encoding.outputs), requires_grad=True)
    optimizer = torch.optim.Adam([prediction], lr=0.1)
    for _ in range(400):
        optimizer.zero_grad()
        encoding.loss(prediction, times).backward()
        optimizer.step()
    wrong = apart(encoding.decode(prediction.detach()), times[:, 0] * 60 + times[:, 1])
    assert wrong.max() < getattr(encoding, "interval", 1) / 2 + 1


@pytest.mark.parametrize("scale", [1e-9, 1e-6, 1e-3, 1.0, 1e3, 1e6])
def test_any_prediction_is_a_time_on_the_face(encoding: Encoding, scale: float) -> None:
    noise = torch.randn(5000, sum(encoding.outputs), generator=torch.Generator().manual_seed(0))
    minutes = encoding.decode(noise * scale)
    assert minutes.shape == (5000,)
    assert (minutes >= 0).all()
    assert (minutes < 720).all()


def test_a_prediction_of_16_bits_is_read_in_32(encoding: Encoding) -> None:
    """Under autocast, which multiplies matrices in 16 bits, and where new numbers have 16 bits by default."""
    noise = torch.randn(720, sum(encoding.outputs), generator=torch.Generator().manual_seed(0))
    for prediction in (encoding.ideal(TIMES).bfloat16(), noise.bfloat16()):
        minutes, loss = encoding.decode(prediction.float()), encoding.loss(prediction.float(), TIMES)
        mean = encoding.mean(torch.stack([prediction, prediction.roll(1, 0)]).float())
        torch.set_default_dtype(torch.bfloat16)
        try:
            with torch.autocast("cpu", torch.bfloat16):
                assert torch.equal(encoding.decode(prediction), minutes)
                assert torch.equal(encoding.loss(prediction, TIMES), loss)
                assert torch.equal(encoding.mean(torch.stack([prediction, prediction.roll(1, 0)])), mean)
        finally:
            torch.set_default_dtype(torch.float32)


def test_64_bits_stay_64_bits(encoding: Encoding) -> None:
    prediction = encoding.ideal(TIMES).double()
    assert encoding.loss(prediction, TIMES).dtype == torch.float64
    assert encoding.mean(torch.stack([prediction, prediction])).dtype == torch.float64
    interval = getattr(encoding, "interval", 1)
    assert apart(encoding.decode(prediction), MINUTES).max() <= (interval - 1) / 2 + 0.01


@pytest.mark.parametrize("broken", [math.nan, math.inf, -math.inf])
def test_a_prediction_that_is_no_number_is_no_time(encoding: Encoding, broken: float) -> None:
    prediction = encoding.ideal(TIMES)
    expected = encoding.decode(prediction)
    whole = torch.arange(720) % sum(encoding.outputs) != 0
    for row in range(720):
        if not whole[row]:
            prediction[row, row // sum(encoding.outputs) % sum(encoding.outputs)] = broken
    minutes = encoding.decode(prediction)
    assert minutes[~whole].isnan().all()
    assert torch.equal(minutes[whole], expected[whole])


# ---------------------------------------------------------------------- the mean of several readings


def mean_minutes(encoding: Encoding, *minutes: int) -> float:
    """What the mean of perfect predictions of several times is read as."""
    times = torch.tensor(minutes)
    predictions = encoding.ideal(torch.stack([times // 60, times % 60], 1))[:, None]
    return encoding.decode(encoding.mean(predictions)).item()


def test_the_mean_of_equal_predictions_is_read_as_each(encoding: Encoding) -> None:
    noise = torch.randn(720, sum(encoding.outputs), generator=torch.Generator().manual_seed(0))
    for prediction in (encoding.ideal(TIMES), noise):
        mean = encoding.mean(torch.stack([prediction] * 4))
        assert apart(encoding.decode(mean), encoding.decode(prediction)).max() < 0.51  # a minute share may be rounded


@pytest.mark.parametrize("middle", [0, 60, 300, 660, 145])
def test_the_mean_of_times_lies_between_them(encoding: Encoding, middle: int) -> None:
    """So around twelve, and around another full hour, where the hands' readings wrap."""
    allowed = 1 if not hasattr(encoding, "interval") else encoding.interval
    for turn in ((-1, 1, -1, 1), (1, -1, 1, -1), (1, 1, -1, -1), (0, 1, -1, 0)):
        read = mean_minutes(encoding, *((middle + minutes) % 720 for minutes in turn))
        assert apart(torch.tensor(read), torch.tensor(float(middle))).item() <= allowed + 0.01, turn


def test_one_misread_turn_does_not_move_the_hour(encoding: Encoding) -> None:
    """Three say 10:09 and one 4:09, as a clock read upside down would."""
    allowed = getattr(encoding, "interval", 1)
    assert mean_minutes(encoding, 609, 609, 249, 609) == pytest.approx(609, abs=allowed / 2 + 0.01)


def test_the_mean_of_classes_is_that_of_their_probabilities() -> None:
    encoding = Classification(180, [4])
    shares = torch.tensor([[[0.6, 0.2, 0.1, 0.1]], [[0.1, 0.7, 0.1, 0.1]]])
    torch.testing.assert_close(encoding.mean(shares.log()).exp(), torch.tensor([[0.35, 0.45, 0.1, 0.1]]))


@given(first=st.floats(-6, 18), others=st.lists(st.floats(-2.5, 2.5), min_size=1, max_size=3))
def test_the_mean_of_near_hours_is_near_their_own(first: float, others: list[float]) -> None:
    """A number of hours is not wrapped by it: -0.1 beside 0.1 gives 0, whose squared error from 0 is none."""
    hours = torch.tensor([first, *(first + other for other in others)])
    mean = Regression([1]).mean(hours[:, None, None]).item()
    assert hours.min().item() - 1e-4 <= mean <= hours.max().item() + 1e-4


def test_declared_outputs_of_another_encoding_are_refused(compose: Compose, encoding_option: str) -> None:
    node = compose(f"encoding={encoding_option}", "encoding.outputs=[5,7]").encoding
    with pytest.raises(ValueError, match=r"encoding.outputs=\[5, 7\]"):
        build(node)


# ---------------------------------------------------------------------- one encoding each


def test_the_loss_of_known_outputs_is_the_one_by_hand() -> None:
    for encoding in (Regression([1]), LabelTransformation([4]), Angles([4])):
        assert encoding.loss(encoding.ideal(TIMES) + 0.5, TIMES).item() == pytest.approx(0.25, rel=1e-5)
    times = torch.tensor([[0, 0], [0, 6]])  # the second hour hand is half way between two ticks
    assert Ticks([60, 60]).loss(torch.zeros(2, 120), times).item() == pytest.approx(2 * math.log(60) - math.log(2) / 2)


@given(hours=st.floats(-12, 24))
def test_regression_reads_hours_beyond_twelve_as_the_next_round(hours: float) -> None:
    prediction = torch.tensor([[hours]])
    turn = 2 * math.pi / 12
    decoded = Regression([1]).decode(prediction).item() / 60
    assert math.cos(decoded * turn) == pytest.approx(math.cos(hours * turn), abs=1e-4)
    assert math.sin(decoded * turn) == pytest.approx(math.sin(hours * turn), abs=1e-4)


@pytest.mark.parametrize("interval", [30, 15, 1])
def test_a_class_is_read_as_the_centre_of_its_interval(compose: Compose, interval: int) -> None:
    encoding = build(compose("encoding=classification", f"encoding.interval={interval}").encoding)
    members: dict[int, list[int]] = {}
    for minute in range(720):
        members.setdefault(minute // interval, []).append(minute)
    assert encoding.outputs == (len(members),)
    for index, minutes in members.items():
        logits = torch.zeros(1, len(members))
        logits[0, index] = 1
        assert encoding.decode(logits).item() == pytest.approx(sum(minutes) / len(minutes))


def test_classification_loss_of_no_preference_is_the_logarithm_of_the_number_of_classes() -> None:
    loss = Classification(30, [24]).loss(torch.zeros(720, 24), TIMES)
    assert loss.item() == pytest.approx(math.log(24), rel=1e-5)


def test_multihead_loss_weighs_the_minutes() -> None:
    prediction = torch.zeros(1, 13)
    prediction[0, 12] = 0.5
    at_five = torch.tensor([[5, 0]])
    for weight in (0.0, 1.0, 10.0):
        loss = Multihead([12, 1], minute_weight=weight).loss(prediction, at_five)
        assert loss.item() == pytest.approx(math.log(12) + 0.25 * weight, rel=1e-5)


@given(hour=st.integers(0, 11), share=st.floats(-2, 3, width=32))
def test_multihead_minutes_never_leave_their_hour(hour: int, share: float) -> None:
    prediction = torch.zeros(1, 13)
    prediction[0, hour], prediction[0, 12] = 1, share
    minutes = Multihead([12, 1]).decode(prediction).item()
    assert minutes == pytest.approx(60 * hour + min(max(60 * share, 0), 59), abs=1e-3)


@given(minute=st.integers(0, 719), hour_hand=st.floats(-25, 25), minute_hand=st.floats(-3, 3))
def test_angles_are_as_wrong_as_the_minute_hand_however_the_hour_hand_wavers(
    minute: int, hour_hand: float, minute_hand: float
) -> None:
    prediction = torch.tensor([hand(minute + hour_hand, 720) + hand(minute + minute_hand, 60)])
    wrong = apart(Angles([4]).decode(prediction), torch.tensor([float(minute)]))
    assert wrong.item() <= abs(minute_hand) + 0.01


def test_whole_minutes_are_read_if_that_is_asked() -> None:
    hands = Angles([4]).ideal(TIMES) + 0.01 * torch.randn(720, 4, generator=torch.Generator().manual_seed(0))
    assert (Angles([4]).decode(hands) != MINUTES).all()
    assert torch.equal(Angles([4], whole_minutes=True).decode(hands), MINUTES)


@pytest.mark.parametrize("full_hour", range(0, 720, 60))
@pytest.mark.parametrize("early", [0.5, 1e-3, 1e-6])
def test_angles_a_hair_before_the_full_hour_stay_there(full_hour: int, early: float) -> None:
    prediction = torch.tensor([hand(full_hour, 720) + hand(-early, 60)])
    assert apart(Angles([4]).decode(prediction), torch.tensor([float(full_hour)])).item() <= early + 1e-3


@given(hour=st.integers(0, 11), minute=st.floats(0, 59.9), off=st.floats(-29, 29))
def test_transformed_labels_are_read_each_by_itself(hour: int, minute: float, off: float) -> None:
    """The hour is the nearest one, whatever the minute; the hour hand of 3:59 is at 3."""
    prediction = torch.tensor([hand(60 * hour + off, 720) + hand(minute, 60)])
    wrong = apart(LabelTransformation([4]).decode(prediction), torch.tensor([60 * hour + minute]))
    assert wrong.item() < 0.01


def test_transformed_labels_say_the_hour_where_angles_say_the_hands_place() -> None:
    half_past_three = torch.tensor([[3, 30]])
    torch.testing.assert_close(LabelTransformation([4]).ideal(half_past_three)[0, :2], torch.tensor([1.0, 0.0]))
    torch.testing.assert_close(Angles([4]).ideal(half_past_three)[0, :2], torch.tensor(hand(210, 720)))


@given(minute=st.integers(0, 719), length=st.floats(0.01, 100))
def test_only_the_direction_of_an_angle_counts(minute: int, length: float) -> None:
    for encoding in (Angles([4]), LabelTransformation([4]), MultiheadAngles([12, 2])):
        prediction = encoding.ideal(TIMES[minute : minute + 1])
        prediction[:, -2:] *= length
        assert apart(encoding.decode(prediction), MINUTES[minute : minute + 1]).item() < 0.01


def test_multihead_angles_loss_weighs_the_minute_hand() -> None:
    prediction = torch.zeros(1, 14)
    at_quarter_past = torch.tensor([[3, 15]])  # sine 1, cosine 0
    for weight in (0.0, 1.0, 10.0):
        loss = MultiheadAngles([12, 2], minute_weight=weight).loss(prediction, at_quarter_past)
        assert loss.item() == pytest.approx(math.log(12) + 0.5 * weight, rel=1e-5)
