"""Times as people write them, and what the clock's task makes of a batch."""

import math
from collections.abc import Callable
from functools import partial

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from omegaconf import DictConfig
from torch import Tensor, nn
from torch.optim import SGD

from atelier.compose.targets import build
from atelier.errors import InputError
from atelier.losses.penalty import l2, none
from atelier.metrics.common_sense import common_sense_error
from atelier.tasks.clock import ClockReader, clock_time
from atelier.tasks.encodings import Angles, Encoding, Regression
from atelier.tasks.schedule import Schedule
from atelier.tasks.sureness import NOT_SURE, POOR, Sureness

TIMES = torch.tensor([[0, 0], [0, 5], [10, 9], [11, 59]])
Compose = Callable[..., DictConfig]
WRITTEN = ["12:00", "12:05", "10:09", "11:59"]


def reader(network: nn.Module, encoding: Encoding, penalty=none) -> ClockReader:
    return ClockReader(
        network=network,
        encoding=encoding,
        optimizer=partial(SGD, lr=0.1),
        scheduler=Schedule(None),
        penalty=penalty,
        metric="val/common_sense_error",
        mode="min",
    )


@pytest.mark.parametrize(
    ("minutes", "written"),
    [(0, "12:00"), (1, "12:01"), (59.4, "12:59"), (59.6, "1:00"), (60, "1:00"), (609, "10:09"), (719.6, "12:00")],
)
def test_minutes_are_written_as_a_clock_shows_them(minutes: float, written: str) -> None:
    assert clock_time(minutes) == written


@given(st.integers(0, 719))
def test_a_written_time_reads_back_as_its_minutes(minutes: int) -> None:
    hour, minute = clock_time(minutes).split(":")
    assert int(hour) in range(1, 13)
    assert len(minute) == 2
    assert int(hour) % 12 * 60 + int(minute) == minutes


def test_captions_are_the_labels_as_times() -> None:
    assert reader(nn.Identity(), Angles([4])).captions(TIMES) == WRITTEN


def test_answers_are_the_predictions_as_times_and_minutes() -> None:
    answers = reader(nn.Identity(), Regression([1])).answers(torch.tensor([[0.0], [1.5], [10.15]]))
    assert answers == [
        {"time": "12:00", "minutes": 0.0},
        {"time": "1:30", "minutes": 90.0},
        {"time": "10:09", "minutes": 609.0},
    ]


def test_a_broken_prediction_is_answered_with_no_time_and_counts_as_the_worst() -> None:
    task = reader(nn.Identity(), Regression([1]))
    assert task.answers(torch.tensor([[math.nan]])) == [{"time": "no time", "minutes": None}]
    broken, times = torch.tensor([[math.nan], [math.inf], [1.0]]), torch.tensor([[0, 0], [6, 0], [1, 0]])
    assert task.errors(broken, times).tolist() == [360, 360, 0]
    out = task.test_step((broken, times), 0)
    assert task.test_error.compute()["common_sense_error"].item() == 240
    assert task.captions(out["predicted"]) == ["no time", "no time", "1:00"]


@pytest.mark.parametrize(("read", "mean"), [((719, 1, 719, 1), 0), ((59, 61, 59, 61), 60), ((10, 20, 10, 20), 15)])
def test_four_turns_are_averaged_on_the_circle(
    compose: Compose, encoding_option: str, read: tuple[int, ...], mean: int
) -> None:
    """A network that reads another time from each turn, known by which corner of the picture is bright."""
    encoding = build(compose(f"encoding={encoding_option}").encoding)
    times = torch.tensor(read)
    told = encoding.ideal(torch.stack([times // 60, times % 60], 1))

    class ByCorner(nn.Module):
        def forward(self, pictures: Tensor) -> Tensor:
            corners = pictures[:, 0, (0, 1, 1, 0), (0, 0, 1, 1)]  # (N, 4), in the order of quarter turns to the left
            return told[corners.argmax(1)]

    task = reader(ByCorner(), encoding)
    task.quarter_turns = True
    picture = torch.tensor([[[[1.0, 0.0], [0.0, 0.0]]]])
    minutes = encoding.decode(task.eval()(picture))
    interval = getattr(encoding, "interval", 10)
    assert common_sense_error(minutes, torch.tensor([float(mean)])).item() <= interval / 2 + 0.51


def test_an_answer_a_hair_before_twelve_stays_below_720_minutes() -> None:
    (answer,) = reader(nn.Identity(), Regression([1])).answers(torch.tensor([[-1e-5]]))
    assert answer["time"] == "12:00"
    assert 0 <= answer["minutes"] < 720


def test_training_minimises_the_encodings_loss_and_the_penalty() -> None:
    layer = nn.Linear(1, 1, bias=False)
    nn.init.constant_(layer.weight, 3.0)
    task = reader(layer, Regression([1]), penalty=partial(l2, strength=0.5))
    loss = task.training_step((torch.tensor([[1.0]]), torch.tensor([[1, 0]])), 0)  # says 3 o'clock at 1 o'clock
    assert loss.item() == pytest.approx((3 - 1) ** 2 + 0.5 * 3**2)


def test_the_logged_training_loss_leaves_the_penalty_out() -> None:
    layer = nn.Linear(1, 1, bias=False)
    nn.init.constant_(layer.weight, 3.0)
    task = reader(layer, Regression([1]), penalty=partial(l2, strength=0.5))
    task.training_step((torch.tensor([[1.0]]), torch.tensor([[1, 0]])), 0)
    assert task.train_loss.compute().item() == pytest.approx(4)


def test_testing_gives_each_samples_error_in_minutes() -> None:
    task = reader(nn.Identity(), Regression([1]))
    out = task.test_step((torch.tensor([[0.5], [11.75]]), torch.tensor([[1, 0], [0, 15]])), 0)
    torch.testing.assert_close(out["error"], torch.tensor([30.0, 30.0]))
    torch.testing.assert_close(out["predicted"], torch.tensor([[0.0, 30.0], [11.0, 45.0]]))


class TopLeft(nn.Module):
    """Says as hours what the picture's upper left pixel holds: another one in each quarter turn."""

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        return pictures[:, 0, 0, :1]


@pytest.fixture
def turning() -> tuple[ClockReader, tuple[torch.Tensor, torch.Tensor]]:
    """A reader in four turns, and a picture at 3:00 that it reads as 3:00, 4:00, 5:00 and 4:00 turn by turn."""
    task = reader(TopLeft(), Regression([1]))
    task.quarter_turns = True
    return task, (torch.tensor([[[[3.0, 4.0], [4.0, 5.0]]]]), torch.tensor([[3, 0]]))


def test_training_and_validation_read_a_picture_once(turning) -> None:
    task, batch = turning
    task.training_step(batch, 0)
    task.eval()
    task.validation_step(batch, 0)
    assert task.train_error.compute() == task.val_error.compute()["common_sense_error"] == 0
    assert task.train_loss.compute() == task.val_loss.compute() == 0


def test_testing_and_predicting_read_it_in_four_turns(turning) -> None:
    task, batch = turning
    task.eval()
    assert task.test_step(batch, 0)["error"].item() == pytest.approx(60, abs=1e-3)
    assert task.answers(task(batch[0]))[0]["time"] == "4:00"


# ---------------------------------------------------------------------- how sure an answer is

CALIBRATED = {"sureness": {"spread": 20.0, "blur": 1.0, "doubt": [0.5, 1.0], "probability": [0.9, 0.6]}}


def test_an_answer_is_not_sure_where_the_turns_disagree(turning) -> None:
    """The turns are read as 3:00, 4:00, 5:00 and 4:00: 30 minutes from their mean."""
    task, batch = turning
    task.recorded = CALIBRATED
    alike = torch.full((1, 1, 2, 2), 4.0)
    shy = torch.tensor([[[[4.0, 4.0], [4.0, 4.5]]]])  # 4:30 in one turn of four
    answers = task.eval().answers(task.predict_step((torch.cat([batch[0], alike, shy]),), 0))
    assert [answer["spread"] for answer in answers] == pytest.approx([30, 0, 11.25], abs=0.05)
    assert [answer["sure"] for answer in answers] == [NOT_SURE, "yes", "yes"]
    assert [answer["probability"] for answer in answers] == [None, 0.9, 0.6]
    assert [answer["time"] for answer in answers] == ["4:00", "4:00", "4:07"]


def test_an_answer_is_not_sure_where_agreeing_outputs_are_like_those_for_no_time() -> None:
    """As of noise: the hands' points are near the middle of the clock, whose times agree."""
    task = reader(nn.Identity(), Angles([4]))
    task.recorded = {"sureness": {"spread": 20.0, "blur": 0.01, "doubt": [1.0], "probability": [0.9]}}
    ideal = task.encoding.ideal(torch.tensor([[3, 0]])).expand(4, 4)
    answers = task.answers(torch.stack([ideal, ideal * 0.5, ideal * math.nan]))
    assert [answer["sure"] for answer in answers] == ["yes", NOT_SURE, NOT_SURE]
    assert [answer["minutes"] for answer in answers] == [180, 180, None]


def test_a_run_that_was_not_calibrated_answers_and_says_so(turning, capsys: pytest.CaptureFixture[str]) -> None:
    task, batch = turning
    (answer,) = task.eval().answers(task.predict_step(batch, 0))
    assert answer.keys() == {"time", "minutes", "spread"}
    (line,) = capsys.readouterr().err.splitlines()
    assert "was not calibrated" in line


class OfSize(TopLeft):
    """Reads pictures of 2 × 3 pixels alone, unlike a network that flattens them."""

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        assert pictures.shape[1:] == (1, 2, 3)
        return super().forward(pictures)


@pytest.mark.parametrize("quarter_turns", [False, True])
def test_a_picture_that_is_not_square_is_read_once(quarter_turns: bool) -> None:
    """In prediction and in the test alike."""
    task = reader(OfSize(), Regression([1])).eval()
    task.quarter_turns = quarter_turns
    picture = torch.tensor([[[[4.0, 5.0, 6.0], [7.0, 8.0, 9.0]]]])
    assert task.answers(task.predict_step((picture,), 0)) == [{"time": "4:00", "minutes": 240}]
    assert task.test_step((picture, torch.tensor([[4, 0]])), 0)["error"].item() == pytest.approx(0, abs=1e-3)


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


def test_sureness_of_another_kind_is_refused() -> None:
    with pytest.raises(InputError, match="its sureness is of another kind"):
        Sureness.recorded({"spread": 1, "blur": "much", "doubt": [], "probability": []})
