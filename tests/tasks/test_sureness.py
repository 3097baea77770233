"""How sure an answer is: the limits that validation sets, blur, and the probability of a doubt."""

import math
from typing import Any

import pytest
import torch

from atelier.errors import InputError
from atelier.tasks.encodings import Angles, Regression
from atelier.tasks.sureness import NOT_SURE, POOR, Sureness


def test_limits_are_of_the_validation_pictures() -> None:
    minutes = torch.arange(201.0)
    sureness = Sureness.calibrated(minutes.flip(0), minutes / 1000, minutes)
    assert sureness.spread == pytest.approx(195)
    assert sureness.blur == pytest.approx(0.195)
    assert len(sureness.doubt) == len(sureness.probability) == 10
    assert sureness.doubt == sorted(sureness.doubt)
    assert sureness.doubt[-1] <= 1


def test_a_smaller_spread_is_a_higher_probability() -> None:
    minutes = torch.arange(200.0)
    sureness = Sureness.calibrated(minutes, minutes / 1000, (minutes > 100) * 60.0)
    told = sureness.told(torch.tensor([3.0, 190.0, 198.0]), torch.zeros(3))
    assert [(one["sure"], one["probability"]) for one in told] == [("yes", 1.0), (POOR, 0.0), (NOT_SURE, None)]


def test_more_doubt_is_not_more_probable() -> None:
    """As of dials without marks: their turns are read hours apart, and the answer is right nonetheless."""
    minutes = torch.arange(200.0)
    sureness = Sureness.calibrated(minutes, minutes / 1000, ((minutes > 100) & (minutes < 150)) * 60.0)
    assert sureness.probability == sorted(sureness.probability, reverse=True)
    assert sureness.told(torch.tensor([190.0]), torch.zeros(1))[0]["sure"] == POOR


@pytest.mark.parametrize(("error", "probability"), [(5.0, 1.0), (5.1, 0.0)])
def test_an_answer_is_right_within_five_minutes(error: float, probability: float) -> None:
    """Of readings that all agree, too, and of one picture whose reading is no number."""
    alike = torch.tensor([0.0] * 30 + [math.nan])
    sureness = Sureness.calibrated(alike, alike, torch.full((31,), error))
    told = sureness.told(torch.tensor([0.0, 1.0]), torch.zeros(2))
    assert [one["probability"] for one in told] == [probability, None]


def test_blur_is_the_mean_loss_of_the_readings_at_the_minutes_that_they_say() -> None:
    times = torch.tensor([[3, 0], [11, 59]])
    ideal = Angles([4]).ideal(times)
    predictions = torch.stack([ideal, ideal * 0.5], 1)  # (2, K = 2, 4): the second is half way to the middle
    assert Angles([4]).blur(predictions).tolist() == pytest.approx([0.5 * 0.25 / 2] * 2, rel=1e-4)


def test_a_number_of_hours_is_never_blurred() -> None:
    """Any of them is a time, also beyond twelve, where the loss would be that of half a day and more."""
    hours = torch.tensor([[3.0, 3.004], [11.999, 12.05], [-0.05, 0.0], [1.0, math.nan], [1.0, math.inf]])
    assert Regression([1]).blur(hours[..., None]).nan_to_num(9).tolist() == [0, 0, 0, 9, 9]


def test_more_doubt_than_any_sure_picture_had_is_that_of_the_last_group() -> None:
    sureness = Sureness(spread=10.0, blur=1.0, doubt=[0.5, 0.9], probability=[0.8, 0.5])
    told = sureness.told(torch.tensor([5.0, 5.1, 9.5, 10.0, 10.1]), torch.zeros(5))
    assert [one["probability"] for one in told] == [0.8, 0.5, 0.5, 0.5, None]
    assert [one["sure"] for one in told] == ["yes"] * 4 + [NOT_SURE]


@pytest.mark.parametrize("changed", [{"blur": "much"}, {"doubt": [0.5, 1.0]}, {"probability": None}], ids=str)
def test_sureness_of_another_kind_is_refused(changed: dict[str, Any]) -> None:
    with pytest.raises(InputError, match="its sureness is of another kind"):
        Sureness.recorded({"spread": 1, "blur": 1, "doubt": [], "probability": [], **changed})
