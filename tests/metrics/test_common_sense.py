"""The common-sense error, against walking round the clock minute by minute."""

import statistics

import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st
from torch import Tensor

from atelier.metrics.common_sense import CommonSenseError, common_sense_error, modulo_turns

MINUTE = st.integers(0, 719)
TIME = st.floats(0, 720, exclude_max=True, width=32)
Pairs = list[tuple[int, int]]
PAIRS = st.lists(st.tuples(MINUTE, MINUTE), min_size=1, max_size=20)


def walked(start: int, goal: int) -> int:
    """Steps of one minute to the goal, going whichever way arrives first."""
    forward = backward = start
    steps = 0
    while goal not in (forward, backward):
        forward = 0 if forward == 719 else forward + 1
        backward = 719 if backward == 0 else backward - 1
        steps += 1
    return steps


def columns(pairs: Pairs) -> tuple[Tensor, Tensor]:
    predicted, true = torch.tensor(pairs, dtype=torch.float32).unbind(1)
    return predicted, true


def filled(*batches: Pairs) -> CommonSenseError:
    metric = CommonSenseError()
    for batch in batches:
        metric.update(*columns(batch))
    return metric


@given(PAIRS)
def test_the_error_is_the_shorter_walk(pairs: Pairs) -> None:
    assert common_sense_error(*columns(pairs)).tolist() == [walked(*pair) for pair in pairs]


@given(TIME, TIME)
def test_the_error_is_symmetric_and_at_most_six_hours(a: float, b: float) -> None:
    there = common_sense_error(torch.tensor(a), torch.tensor(b))
    assert there == common_sense_error(torch.tensor(b), torch.tensor(a))
    assert 0 <= there <= 360


def between(minutes: float) -> float:
    """The angle from the hour hand to the minute hand, in turns."""
    return minutes / 60 - minutes / 720


@given(TIME, TIME)
def test_modulo_turns_only_the_angle_between_the_hands_counts(a: float, b: float) -> None:
    error = common_sense_error(torch.tensor(a, dtype=torch.float64), torch.tensor(b, dtype=torch.float64))
    apart = abs(between(a) - between(b)) % 1
    assert modulo_turns(error).item() == pytest.approx(min(apart, 1 - apart) * 720 / 11, abs=1e-6)


def test_the_metric_tells_the_median_modulo_turns() -> None:
    metric = CommonSenseError()
    metric.update(torch.tensor([60.0, 65.0, 200.0]), torch.tensor([0.0, 0.0, 200.0]))  # 5.45, 0.45 and 0 to the nearest
    assert metric.compute()["median_error_modulo_turns"].item() == pytest.approx(720 / 11 - 65)
    metric.update(torch.tensor([torch.nan, torch.nan, torch.nan, torch.nan]), torch.zeros(4))
    assert metric.compute()["median_error_modulo_turns"].item() == pytest.approx(360 / 11)


@given(st.lists(PAIRS, min_size=1, max_size=4))
@example([[(2, 717), (0, 6)]])  # five minutes are within five, and six are not
def test_the_metric_over_batches_is_that_of_all_samples_at_once(batches: list[Pairs]) -> None:
    walks = [walked(*pair) for batch in batches for pair in batch]
    value = filled(*batches).compute()
    assert value["common_sense_error"].item() == pytest.approx(statistics.fmean(walks))
    assert value["median_error"].item() == pytest.approx(statistics.median(walks))
    assert value["within_5_minutes"].item() == pytest.approx(sum(walk <= 5 for walk in walks) / len(walks))


@given(PAIRS, PAIRS)
def test_merging_two_metrics_gives_that_of_all_samples(first: Pairs, second: Pairs) -> None:
    merged, second_half = filled(first), filled(second)
    merged.merge_state(second_half)
    assert merged.compute() == filled(first, second).compute()


def test_the_metric_reads_errors_that_processes_have_put_together() -> None:
    gathered, apart = filled([(10, 20), (700, 3)]), filled([(10, 20), (700, 3)])
    gathered.errors = torch.cat(gathered.errors)  # what synchronisation leaves
    assert gathered.compute() == apart.compute()


def test_a_reset_metric_has_forgotten() -> None:
    metric = filled([(0, 300)])
    metric.compute()
    metric.reset()
    metric.update(*columns([(0, 1)]))
    assert metric.compute()["common_sense_error"] == 1
