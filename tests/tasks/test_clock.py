"""Times as people write them, and what the clock's task makes of a batch."""

import math
from collections.abc import Callable
from functools import partial
from types import SimpleNamespace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from omegaconf import DictConfig
from torch import Tensor, nn
from torch.optim import SGD
from torch.utils.data import TensorDataset

from atelier.compose.targets import build
from atelier.losses.penalty import l2, none
from atelier.metrics.common_sense import common_sense_error
from atelier.tasks.clock import ClockReader, clock_time
from atelier.tasks.encodings import Angles, Encoding, Multihead, Regression
from atelier.tasks.schedule import Schedule
from atelier.tasks.sureness import NOT_SURE

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


def test_a_mean_minute_that_rounds_up_is_the_first_of_the_next_hour() -> None:
    encoding = Multihead([12, 1])
    told = encoding.ideal(torch.tensor([[0, 59], [1, 0], [1, 0], [1, 0]]))[:, None]
    assert encoding.decode(encoding.mean(told)).item() == 60, "59:45, of which a minute 59 would be the floor"


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


def test_without_quarter_turns_the_answer_is_the_first_reading_and_the_others_say_how_sure_it_is(turning) -> None:
    task, batch = turning
    task.quarter_turns, task.recorded = False, CALIBRATED
    (answer,) = task.eval().answers(task.predict_step(batch, 0))
    assert (answer["time"], answer["spread"]) == ("3:00", pytest.approx(60, abs=0.05))


def test_a_file_may_say_another_minute_on_the_other_side_of_twelve() -> None:
    task, outputs = reader(nn.Identity(), Regression([1])), torch.tensor([[0.0], [2.0]])
    found = task.export_differences((outputs, torch.tensor([719.9, 123.0])), (outputs - 0.5, torch.zeros(2)))
    assert [difference.flatten().tolist() for difference in found] == [[0.5, 0.5], pytest.approx([-0.1, 3], abs=1e-3)]


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


def test_a_run_is_calibrated_on_all_validation_pictures_as_the_network_is_given_them() -> None:
    task = reader(TopLeft(), Regression([1])).eval()
    times = torch.arange(7)[:, None] * torch.tensor([1, 0])
    pictures = times[:, :1].float().view(7, 1, 1, 1).repeat(1, 1, 2, 2)
    pictures[:, :, 0, 1] += 0.5  # half an hour in one turn of four
    data = SimpleNamespace(
        sets={"val": TensorDataset(pictures / 2, times)},
        eval_batch_size=3,
        transfer_batch_to_device=lambda batch, device, index: batch,
        normalise=lambda given: given * 2,
    )
    task.calibrate(data)
    assert task.recorded is not None
    assert task.recorded["sureness"]["spread"] == pytest.approx(30 / 4, abs=1e-3)
    assert task.recorded["sureness"]["probability"] == [1.0] * 7
