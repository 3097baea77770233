"""A search's figure: the best so far, the trials against what was drawn, and how each ended."""

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from atelier.errors import InputError
from atelier.figures.group import Group, Run
from atelier.figures.kinds.search import caption, describe, draw, gather

Made = Callable[..., Group]


def made(number: int, status: str, value: float | None, **values: str) -> Group:
    """The setting of one trial."""
    named = {key.replace("_", "."): text for key, text in values.items()}
    scores = {"val/loss": [value]} if status == "completed" else {}
    return Group(f"trial {number}", named, scores, [], [Run(number, status, {"val/loss": value})])


# The best first, as a report has them.
GROUPS = [
    made(3, "completed", 0.25, optimizer="adam", optimizer_lr="0.001"),
    made(1, "completed", 0.5, optimizer="sgd", optimizer_lr="0.1"),
    made(0, "completed", 0.75, optimizer="adam", optimizer_lr="0.0001"),
    made(5, "completed", 1.0, optimizer="sgd", optimizer_lr="0.0002"),
    made(2, "pruned", 1.5, optimizer="sgd", optimizer_lr="0.003"),
    made(4, "failed", 0.1, optimizer="adam", optimizer_lr="0.01"),
    made(6, "interrupted", 0.2, optimizer="sgd", optimizer_lr="0.02"),
]


@pytest.fixture
def search() -> Any:
    return gather(GROUPS, "val/loss", logarithmic=["optimizer.lr"])


def points(axis: Any, marker: str) -> list[tuple[float, float]]:
    return sorted(
        (float(x), float(y)) for line in axis.lines if line.get_marker() == marker for x, y in line.get_xydata()
    )


def test_the_trials_are_in_their_order_with_what_is_known_of_each(search: Any) -> None:
    assert [(one.number, one.status, one.value) for one in search.trials] == [
        (0, "completed", 0.75),
        (1, "completed", 0.5),
        (2, "pruned", 1.5),
        (3, "completed", 0.25),
        (4, "failed", None),
        (5, "completed", 1.0),
    ], "one that was interrupted is not over, and what a failed one had reached is no result"


@pytest.mark.parametrize(
    ("rates", "ticks"),
    [
        ((0.001, 0.005), ["0.0015", "0.003", "0.0045"]),  # no power of ten is in view
        ((0.0002, 0.0009), ["0.0002", "0.0004", "0.0006", "0.0008"]),
        ((0.0002, 0.005), ["0.0003", "0.001", "0.003"]),  # a single one is
        ((0.00001, 0.1), ["1e-05", "0.0001", "0.001", "0.01", "0.1"]),
    ],
)
def test_a_logarithmic_axis_has_numbers(rates: tuple[float, float], ticks: list[str]) -> None:
    trials = [made(n, "completed", n + 1.0, optimizer_lr=str(rate)) for n, rate in enumerate(rates)]
    figure = draw(gather(trials, "val/loss", logarithmic=["optimizer.lr"]))
    figure.canvas.draw()
    axis = figure.axes[1]
    low, high = axis.get_xlim()
    texts = [tick.get_text() for tick in axis.get_xticklabels() if low <= tick.get_position()[0] <= high]
    assert texts == ticks


def test_choices_with_numbers_stand_in_order() -> None:
    clips = ["0.5", "null", "0.1", "1"]
    (panel,) = gather([made(n, "completed", 1.0, clip=text) for n, text in enumerate(clips)], "val/loss").panels
    assert panel.choices == ["null", "0.1", "0.5", "1"]


def test_the_best_so_far_falls_and_the_pruned_do_not_count(search: Any) -> None:
    assert search.best == [(0, 0.75), (1, 0.5), (3, 0.25), (5, 0.25)]
    assert search.winner.number == 3


def test_the_best_so_far_lasts_until_the_last_trial_whatever_became_of_it() -> None:
    broken = made(9, "completed", math.nan, optimizer="adam", optimizer_lr="1")
    search = gather([*GROUPS[1:3], broken], "val/loss")
    assert (search.trials[-1].number, search.trials[-1].value, search.winner.number) == (9, None, 1)
    steps = next(line for line in draw(search).axes[0].lines if line.get_drawstyle() == "steps-post")
    assert steps.get_xydata().tolist() == [[0, 0.75], [1, 0.5], [9, 0.5]]


def test_where_much_is_good_the_best_so_far_rises() -> None:
    search = gather([replace(GROUPS[n], objective=("val/loss", "max")) for n in (3, 2, 1, 0)], "val/loss")
    assert search.best == [(0, 0.75), (1, 0.75), (3, 0.75), (5, 1.0)]
    assert search.winner.number == 5


def test_what_is_drawn_is_what_was_gathered(search: Any) -> None:
    over, optimizer, rate = draw(search).axes
    steps = next(line for line in over.lines if line.get_drawstyle() == "steps-post")
    assert [tuple(point) for point in steps.get_xydata()] == [(0, 0.75), (1, 0.5), (3, 0.25), (5, 0.25), (5, 0.25)]
    assert points(rate, "s") == [(0.0002, 1.0), (0.003, 1.5), (0.1, 0.5)], "sgd"
    assert points(rate, "x") == [(0.01, pytest.approx(0.03))], "the failed at the lower edge"
    assert [line.get_fillstyle() for line in rate.lines if line.get_xdata()[0] == 0.003] == ["none"]
    assert points(optimizer, "s") == [(1, 0.5), (1, 1.0), (1, 1.5)]
    assert [tick.get_text() for tick in optimizer.get_xticklabels()] == ["adam", "sgd"]
    drawn = [line for axis in (over, optimizer, rate) for line in axis.lines if len(line.get_xydata())]
    rings = [tuple(line.get_xydata()[0]) for line in drawn if line.get_markersize() == 14]
    assert rings == [(3, 0.25), (0, 0.25), (0.001, 0.25)]
    assert (over.get_xlabel(), optimizer.get_xlabel(), rate.get_xlabel()) == ("trial", "optimizer", "learning rate")


def test_an_axis_is_logarithmic_where_the_draw_was(search: Any) -> None:
    assert draw(search).axes[2].get_xscale() == "log"
    assert draw(gather(GROUPS, "val/loss")).axes[2].get_xscale() == "linear"
    with_none = [*GROUPS, made(7, "completed", 0.9, optimizer="sgd", optimizer_lr="0")]
    assert draw(gather(with_none, "val/loss", logarithmic=["optimizer.lr"])).axes[2].get_xscale() == "linear"


def test_the_legend_names_what_is_there(search: Any) -> None:
    (legend,) = draw(search).legends
    names = [text.get_text() for text in legend.get_texts()]
    assert names == ["best so far", "adam", "sgd", "best trial", "pruned", "failed"]
    (legend,) = draw(gather([GROUPS[0], GROUPS[2]], "val/loss")).legends
    assert [text.get_text() for text in legend.get_texts()] == ["best so far", "trial", "best trial"]


def test_values_over_many_sizes_have_a_logarithmic_axis() -> None:
    groups = [made(n, "completed", 10.0**n, a_b=str(n)) for n in range(4)]
    assert draw(gather(groups, "val/loss")).axes[0].get_yscale() == "log"


def test_keys_without_room_are_left_out_and_told() -> None:
    groups = [made(n, "completed", float(n), **{f"a_k{key}": str(n + key) for key in range(13)}) for n in range(3)]
    search = gather(groups, "val/loss")
    assert len(draw(search).axes) == 12
    assert caption(search).endswith("2 more keys are left out.")


def test_a_search_without_a_value_is_not_drawn() -> None:
    with pytest.raises(InputError, match=r"^no trial was completed \(1 pruned, 1 failed\), so there is no best$"):
        gather(GROUPS[4:], "val/loss")
    with pytest.raises(InputError, match="metric=test/loss: no run has it; choose from: val/loss"):
        gather(GROUPS, "test/loss")


def test_two_searches_are_not_drawn_as_one() -> None:
    with pytest.raises(InputError, match=r"^several searches have trials of equal numbers; draw each alone"):
        gather([*GROUPS, made(3, "completed", 0.1, optimizer="adam", optimizer_lr="0.7")], "val/loss")


def test_a_pruned_trial_without_a_value_is_neither_failed_nor_hollow() -> None:
    """As of a test metric: a trial that was pruned is not tested."""
    search = gather([*GROUPS[:4], made(2, "pruned", None, optimizer="sgd", optimizer_lr="0.003")], "val/loss")
    (legend,) = draw(search).legends
    assert [text.get_text() for text in legend.get_texts()] == ["best so far", "adam", "sgd", "best trial", "no value"]
    assert "Hollow" not in caption(search)


def test_the_words_have_every_trial(search: Any) -> None:
    assert "best 0.25 in trial 3" in describe(search)
    assert "2 (pruned, 1.5): sgd, learning rate 0.003; 3 (completed, 0.25): adam, learning rate 0.001" in describe(
        search
    )
    assert "4 (failed): adam, learning rate 0.01" in describe(search)
    assert caption(search) == (
        "Validation loss of each trial, in their order, and against optimizer, learning rate. "
        "Hollow: at its best until it was pruned."
    )


@pytest.mark.parametrize("mode", ["min", "max"])
def test_the_objective_on_another_split_has_its_mode_and_another_metric_is_refused(mode: str) -> None:
    """Of a time or a loss the least would be ringed as the best of an accuracy's search, or the greatest."""

    def trial(number: int, value: float) -> Group:
        scores = {"val/accuracy": value, "test/accuracy": value, "val/loss": -value, "seconds": value}
        told = {name: [one] for name, one in scores.items()}
        return Group(f"{number}", {}, told, [], [Run(number, "completed", scores)], objective=("val/accuracy", mode))

    groups = [trial(0, 0.5), trial(1, 0.75)]
    assert gather(groups, "test/accuracy").winner.number == (1 if mode == "max" else 0)
    for other in ("val/loss", "seconds"):
        with pytest.raises(
            InputError, match=f"^metric={other}: a search's best is by its objective; choose from: val/acc"
        ):
            gather(groups, other)
