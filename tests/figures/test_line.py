"""Lines over a numeric key: places, means and the axis's scale."""

from collections.abc import Callable
from typing import Any

import pytest

from atelier.errors import InputError
from atelier.figures.kinds.line import caption, describe, draw, gather, spacing

Make = Callable[..., Any]


@pytest.fixture
def chart(group: Make) -> Any:
    groups = [
        group({"network": "lstm", "data.length": "10"}, [2.0, 4.0]),
        group({"network": "lstm", "data.length": "5"}, [1.0]),
        group({"network": "rnn", "data.length": "5"}, [7.0, 9.0]),
        group({"network": "rnn", "data.length": "10"}, [None]),
    ]
    return gather(groups, "val/loss")


def test_the_points_lie_at_their_values_from_left_to_right(chart: Any) -> None:
    assert chart.key == "data.length"
    ((_, lines),) = chart.panels
    assert {line.label: [(place, one.mean, one.n) for place, one in line.points] for line in lines} == {
        "lstm": [(5.0, 1.0, 1), (10.0, 3.0, 2)],
        "rnn": [(5.0, 8.0, 2)],
    }


def test_what_is_drawn_is_what_was_gathered(chart: Any) -> None:
    (axes,) = draw(chart).axes
    lstm, rnn = (container for container in axes.containers)
    assert list(lstm.lines[0].get_xdata()) == [5.0, 10.0]
    assert list(lstm.lines[0].get_ydata()) == [1.0, 3.0]
    low, high = lstm.lines[2][0].get_segments()[1][:, 1]
    assert (low, high) == (pytest.approx(3 - 2**0.5), pytest.approx(3 + 2**0.5))
    assert (lstm.get_label(), rnn.get_label()) == ("lstm", "rnn")
    assert [tick.get_text() for tick in axes.get_xticklabels()] == ["5", "10"]
    assert axes.get_xlabel() == "length"
    dots = [sorted(line.get_ydata()) for line in axes.lines if line.get_marker() == "."]
    assert dots == [[2.0, 4.0], [7.0, 9.0]]


@pytest.mark.parametrize(
    ("values", "scale"),
    [
        ([0.001, 0.01, 0.1], "log"),
        ([0.0001, 0.0003, 0.001, 0.003], "log"),
        ([16, 32, 64, 128], "log"),
        ([0.001, 0.1], "log"),
        ([1, 10], "log"),
        ([5, 10, 15, 20], "linear"),
        ([0.001, 0.005, 0.01], "linear"),
        ([1, 2], "linear"),
        ([0, 0.001, 0.01, 0.1], "symlog"),
        ([0, 1], "linear"),
        ([-1, 1, 10, 100], "linear"),
        ([], "linear"),
    ],
)
def test_the_axis_is_logarithmic_where_the_values_are(values: list[float], scale: str) -> None:
    assert spacing(values) == scale


@pytest.mark.parametrize("values", [("0.001", "0.01", "0.1"), ("0", "0.01", "0.1"), ("5", "10", "15")])
def test_the_scale_is_the_one_drawn_and_the_ticks_are_as_typed(group: Make, values: tuple[str, ...]) -> None:
    chart = gather([group({"optimizer.lr": value}, [1.0]) for value in values], "val/loss")
    (axes,) = draw(chart).axes
    assert axes.get_xscale() == spacing([float(value) for value in values])
    if axes.get_xscale() == "symlog":
        assert axes.xaxis.get_transform().linthresh == 0.01, "linear from 0 to the lowest, where the logarithm begins"
    assert [tick.get_text() for tick in axes.get_xticklabels()] == list(values)
    assert axes.get_xlabel() == "learning rate"


def test_many_lines_are_spread_over_panels(group: Make) -> None:
    groups = [
        group({"a.x": str(x), "network": network, "data.kind": kind}, [float(x)])
        for x in (1, 2)
        for network in ("p", "q", "r")
        for kind in ("u", "v", "w", "z")
    ]
    chart = gather(groups, "val/loss", x="a.x")
    assert [title for title, _ in chart.panels] == ["network p", "network q", "network r"]
    assert all(len(lines) == 4 for _, lines in chart.panels)


@pytest.mark.parametrize(("x", "told"), [("network", "choose from: a.x"), ("a.y", "choose from: a.x")])
def test_a_key_that_is_not_numeric_is_told(group: Make, x: str, told: str) -> None:
    groups = [group({"a.x": value, "network": f"n{value}"}, [1.0]) for value in "12"]
    with pytest.raises(InputError, match=f"x={x}: no swept key with numbers; {told}"):
        gather(groups, "val/loss", x=x)


def test_where_no_key_is_numeric_none_is_said_to_be_asked_for(group: Make) -> None:
    groups = [group({"network": f"n{value}"}, [1.0]) for value in "12"]
    with pytest.raises(InputError, match=r"^a line needs a swept key with numbers; there are: network$"):
        gather(groups, "val/loss")


def test_the_words_have_every_number(chart: Any) -> None:
    assert "lstm, 5: 1 (1); lstm, 10: 3.0 ± 1.4 (2); rnn, 5: 8.0 ± 1.4 (2)" in describe(chart)
    words = "Validation loss against the length: the mean over the runs (n = 1 to 2), ± one standard deviation,"
    assert caption(chart) == f"{words} and each run as a dot."


def test_deviations_may_be_a_band(group: Make) -> None:
    lengths = {"5": [1.0, 1.0], "10": [0.8, 0.4]}
    groups = [group({"data.length": length}, scores) for length, scores in lengths.items()]
    (axes,) = draw(gather(groups, "val/loss", band=True)).axes
    ((area,),) = [[one for one in axes.collections if type(one).__name__ != "LineCollection"]]
    corners = {(round(float(x)), round(float(y), 3)) for x, y in area.get_paths()[0].vertices}
    low, high = (round(0.6 + sign * 0.08**0.5, 3) for sign in (-1, 1))  # the deviation of two that differ by 0.4
    assert {(10, low), (10, high), (5, 1.0)} <= corners
    (drawn,) = [list(line.get_ydata()) for line in axes.lines if list(line.get_xdata()) == [5.0, 10.0]]
    assert drawn == pytest.approx([1.0, 0.6])


def test_the_reports_values_are_hollow_diamonds_where_they_belong(group: Make) -> None:
    groups = [group({"network.hidden": text}, [0.9]) for text in ("32", "64")]
    chart = gather(groups, "val/loss", reported={32: 0.5, 64: 0.6})
    assert caption(chart).endswith(" Hollow diamonds are the report's.")
    figure = draw(chart)
    (axes,) = figure.axes
    (theirs,) = [line for line in axes.lines if line.get_label() == "the report"]
    assert (list(theirs.get_xdata()), list(theirs.get_ydata())) == ([32, 64], [0.5, 0.6])
    assert (theirs.get_marker(), theirs.get_linestyle(), theirs.get_markerfacecolor()) == ("D", "None", "none")
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["the report"]


def test_labels_that_do_not_fit_are_left_out_evenly(group: Make) -> None:
    rates = [f"0.0{n:02}" for n in range(1, 16)]
    groups = [group({"optimizer.lr": lr, "network": name}, [0.9]) for lr in rates for name in "abcdefghijkl"]
    axes = draw(gather(groups, "val/loss", x="optimizer.lr")).axes[-1]
    labels = [tick.get_text() for tick in axes.get_xticklabels()]
    assert len(labels) == 15
    assert labels[:5:4] == ["0.001", "0.005"]
    assert set(labels[1:4]) == {""}
