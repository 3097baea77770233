"""Bars: the means, whiskers and dots that are drawn."""

from collections.abc import Callable
from typing import Any

import pytest

from atelier.errors import InputError
from atelier.figures.kinds.bars import caption, describe, draw, gather

NAN = float("nan")
Make = Callable[..., Any]


@pytest.fixture
def bars(group: Make) -> Any:
    groups = [
        group({"optimizer": "adam"}, [1.0, 2.0, 6.0]),
        group({"optimizer": "sgd"}, [4.0]),
        group({"optimizer": "adagrad"}, [NAN, None]),
    ]
    return gather(groups, "val/loss", reference={"15 minutes": 5.0})


def test_the_bars_are_the_means(bars: Any) -> None:
    (axes,) = draw(bars).axes
    assert [(patch.get_y() + patch.get_height() / 2, patch.get_width()) for patch in axes.patches] == [
        (pytest.approx(0), 3.0),
        (pytest.approx(1), 4.0),
    ]
    assert [tick.get_text() for tick in axes.get_yticklabels()] == ["adam", "sgd", "adagrad"]
    assert axes.get_ylim()[0] > axes.get_ylim()[1], "the best is not on top"


def test_the_whisker_is_one_deviation_and_every_seed_a_dot(bars: Any) -> None:
    (axes,) = draw(bars).axes
    (whisker,) = [one for one in axes.collections if hasattr(one, "get_segments")]
    ((left, right),) = [segment[:, 0] for segment in whisker.get_segments()]
    assert (left, right) == (pytest.approx(3 - 7**0.5), pytest.approx(3 + 7**0.5))
    (dots,) = [line for line in axes.lines if line.get_marker() == "o"]
    assert list(dots.get_xdata()) == [1.0, 2.0, 6.0]
    assert list(dots.get_ydata()) == pytest.approx([-0.2, 0.0, 0.2]), "around the middle of the bar"


def test_the_numbers_and_the_reference_are_written(bars: Any) -> None:
    figure = draw(bars)
    (axes,) = figure.axes
    assert [text.get_text() for text in axes.texts] == ["3.0 ± 2.6", "4.000", "no value"]
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["15 minutes"]
    (line,) = [line for line in axes.lines if line.get_label() == "15 minutes"]
    assert list(line.get_xdata()) == [5.0, 5.0]


def test_the_words_have_every_number(bars: Any) -> None:
    assert "adam: 3.0 ± 2.6 (3); sgd: 4 (1); adagrad: – (0); 15 minutes at 5" in describe(bars)
    assert caption(bars).startswith("Validation loss of each setting")


def test_settings_without_a_value_take_no_place_of_one_with_a_value(group: Make) -> None:
    """Of a sweep that still runs, most have none yet."""
    made = [group({"optimizer.lr": str(n)}, [float(n)] if n < 5 else []) for n in range(100)]
    found = gather(made, "val/loss")
    assert (len(found.bars), found.left_out, found.empty) == (5, 0, 95)
    assert caption(found).endswith("n = 1. 95 settings without a value are left out.")
    few = gather(made[:10], "val/loss")
    assert (len(few.bars), few.empty) == (10, 0), "there is room for all"


def test_the_worst_of_very_many_are_left_out(group: Make) -> None:
    found = gather([group({"optimizer.lr": str(n)}, [float(n)]) for n in range(40)], "val/loss")
    assert [one.mean for _, one in found.bars] == list(range(30))
    assert "10 are left out" in caption(found)


def test_a_metric_that_no_run_has_is_told(group: Make) -> None:
    with pytest.raises(InputError, match="metric=test/loss: no run has it; choose from: val/loss"):
        gather([group({}, [1.0])], "test/loss")
    with pytest.raises(InputError, match="choose from: nothing yet"):
        gather([group({}, [None])], "test/loss")


@pytest.mark.parametrize(
    ("values", "close"),
    [
        ([[0.90, 0.89], [0.88]], True),
        ([[-105.0], [-101.0, -100.0]], True),
        ([[0.9, 0.6], [0.88]], False),
        ([[-0.01], [0.01]], False),
        ([[0.9], [0.9]], False),
        ([[NAN], [0.9]], False),
    ],
)
def test_values_that_are_close_together_are_marks_on_an_axis_without_0(
    group: Make, values: list[list[float]], close: bool
) -> None:
    found = gather([group({"optimizer": str(row)}, one) for row, one in enumerate(values)], "val/loss")
    (axes,) = draw(found).axes
    marks = [list(line.get_xdata()) for line in axes.lines if line.get_marker() == "D"]
    means = [one.mean for _, one in found.bars if one.mean is not None]
    assert marks == ([[mean] for mean in means] if close else [])
    assert len(axes.patches) == (0 if close else len(means))
    low, high = axes.get_xlim()
    assert (low <= 0 <= high) is not close
    assert ("does not begin at 0" in caption(found)) is close
