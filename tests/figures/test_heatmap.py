"""Heatmaps: the cells, their order and what is written in them."""

from collections.abc import Callable
from typing import Any

import pytest
from matplotlib.colors import LogNorm

from atelier.errors import InputError
from atelier.figures.group import Group
from atelier.figures.kinds.heatmap import caption, describe, draw, gather

Make = Callable[..., Any]


@pytest.fixture
def heatmap(group: Make) -> Any:
    groups = [
        group({"optimizer": "adam", "optimizer.lr": "0.1"}, [1.0, 3.0]),
        group({"optimizer": "adam", "optimizer.lr": "0.01"}, [5.0]),
        group({"optimizer": "sgd", "optimizer.lr": "0.01"}, [4.0]),
        group({"optimizer": "sgd", "optimizer.lr": "0.1"}, [None]),
    ]
    return gather(groups, "val/loss")


def test_a_cell_for_each_pair_of_values_with_its_mean(heatmap: Any) -> None:
    assert (heatmap.rows, heatmap.columns) == ("optimizer", "optimizer.lr")
    assert (heatmap.row_values, heatmap.column_values) == (["adam", "sgd"], ["0.01", "0.1"])
    (panel,) = heatmap.panels
    assert {cell: one.mean for cell, one in panel.cells.items()} == {
        ("adam", "0.1"): 2.0,
        ("adam", "0.01"): 5.0,
        ("sgd", "0.01"): 4.0,
    }


def test_the_numbers_stand_where_their_values_are(heatmap: Any) -> None:
    axes = draw(heatmap).axes[0]
    assert [tick.get_text() for tick in axes.get_xticklabels()] == ["0.01", "0.1"]
    assert [tick.get_text() for tick in axes.get_yticklabels()] == ["adam", "sgd"]
    assert axes.get_ylim() == (1.5, -0.5), "from above"
    assert {text.get_position(): text.get_text() for text in axes.texts} == {
        (1, 0): "2.0\n± 1.4",
        (0, 0): "5.000",
        (0, 1): "4.000",
    }


def test_the_same_number_has_the_same_colour_and_a_lower_one_a_darker(heatmap: Any) -> None:
    axes = draw(heatmap).axes[0]
    brightness = [sum(cell.get_facecolor()[0][:3]) for cell in axes.collections]  # of 2, 5 and 4
    assert brightness[0] < brightness[2] < brightness[1]
    assert [text.get_color() for text in axes.texts] == ["white", "black", "black"]


@pytest.mark.parametrize(
    ("metric", "objective", "framed"),
    [
        ("val/loss", ("val/loss", "min"), [(1, 0)]),
        ("val/accuracy", ("val/loss", "min"), [(0, 0)]),
        ("val/kl", ("val/loss", "min"), []),
        ("val/dice", ("val/dice", "max"), [(0, 0)]),
        ("test/errors_found", ("val/errors_found", "max"), [(0, 0)]),  # its name alone tells the contrary
    ],
    ids=str,
)
def test_the_best_cell_is_framed(metric: str, objective: tuple[str, str], framed: list[tuple[float, float]]) -> None:
    means = {("adam", "0.1"): 2.0, ("adam", "0.01"): 5.0, ("sgd", "0.01"): 4.0}
    groups = [
        Group("", {"a.a": one, "b.b": two}, {metric: [mean]}, [], objective=objective)
        for (one, two), mean in means.items()
    ]
    heatmap = gather(groups, metric)
    patches = draw(heatmap).axes[0].patches
    assert [tuple(map(round, patch.get_center())) for patch in patches] == framed
    assert ("The best is framed." in caption(heatmap)) == bool(framed)


@pytest.mark.parametrize(
    ("third", "told"),
    [
        (["5"], "The best, of the cells with the most runs, is framed."),
        (["5", "6"], "The best of each panel, of its cells with the most runs, is framed."),
    ],
    ids=["a panel", "two panels"],
)
def test_a_cell_with_fewer_runs_is_not_the_best(group: Make, third: list[str], told: str) -> None:
    """One run of (1, 3), and one of three of (1, 4), have lower losses than three runs have on average."""
    scores: list[list[float | None]] = [[1.0], [0.5, None, None], [4.0, 3.0, 2.0], [5.0, 5.0, 5.0]]
    groups = [
        group({"a.a": a, "b.b": b, **({"c.c": c} if len(third) > 1 else {})}, found)
        for c in third
        for (a, b), found in zip([("1", "3"), ("1", "4"), ("2", "3"), ("2", "4")], scores, strict=True)
    ]
    heatmap = gather(groups, "val/loss")
    assert [panel.best(heatmap.mode) for panel in heatmap.panels] == [[("2", "3")]] * len(third)
    assert told in caption(heatmap)


def test_where_only_one_cell_has_all_its_runs_none_is_the_best(heatmap: Any) -> None:
    assert not draw(heatmap).axes[0].patches
    assert "framed" not in caption(heatmap)


def test_cells_that_are_as_good_are_framed_all(group: Make) -> None:
    groups = [group({"a.a": a, "b.b": b}, [1.0 if b == "3" else 2.0]) for a in "12" for b in "34"]
    assert len(draw(gather(groups, "val/loss")).axes[0].patches) == 2


def test_where_all_are_alike_none_is_the_best(group: Make) -> None:
    groups = [group({"a.a": a, "b.b": b}, [1.0]) for a in "12" for b in "34"]
    assert not draw(gather(groups, "val/loss")).axes[0].patches


def test_further_keys_make_panels(group: Make) -> None:
    groups = [group({"a.a": a, "b.b": b, "c.c": c}, [1.0]) for a in "12" for b in "34" for c in "56"]
    heatmap = gather(groups, "val/loss", rows="c.c", columns="a.a")
    assert (heatmap.row_values, heatmap.column_values) == (["5", "6"], ["1", "2"])
    assert gather(groups, "val/loss", columns="a.a").rows == "b.b", "the first of the others"
    assert [panel.title for panel in heatmap.panels] == ["b 3", "b 4"]
    assert len(draw(heatmap).axes) == 3, "two panels and the scale of colours"


def test_the_caption_tells_of_panels_that_are_left_out(group: Make) -> None:
    groups = [group({"a.a": a, "b.b": b, "c.c": str(c)}, [1.0]) for a in "12" for b in "34" for c in range(14)]
    heatmap = gather(groups, "val/loss")
    assert (len(heatmap.panels), heatmap.left_out) == (12, 2)
    assert caption(heatmap).endswith(" The first 12 panels; 2 are left out.")
    assert "left out" not in caption(gather(groups[:12], "val/loss"))


def test_a_wide_range_has_a_logarithmic_scale_of_colours(group: Make) -> None:
    groups = [group({"a.a": str(a), "b.b": str(b)}, [10.0 ** -(a + b)]) for a in range(2) for b in range(2)]
    figure = draw(gather(groups, "val/loss"))
    figure.draw_without_rendering()
    bar = figure.axes[-1]
    assert isinstance(bar._colorbar.norm, LogNorm)
    told = {tick.get_text() for tick in bar.get_yticklabels() if tick.get_text()}
    assert {"0.01", "0.1", "1"} <= told, "as on every other axis, not as 1e-01"


def test_equal_numbers_are_drawn(group: Make) -> None:
    groups = [group({"a.a": a, "b.b": b}, [1.0]) for a in "12" for b in "34"]
    assert len(draw(gather(groups, "val/loss")).axes[0].texts) == 4


def test_wrong_keys_are_told(group: Make) -> None:
    groups = [group({"a.a": a, "b.b": a}, [1.0]) for a in "12"]
    with pytest.raises(InputError, match=r"rows=x: not swept; choose from: a\.a, b\.b"):
        gather(groups, "val/loss", rows="x")
    with pytest.raises(InputError, match=r"a heatmap needs two swept keys; there are: a\.a"):
        gather([group({"a.a": a}, [1.0]) for a in "12"], "val/loss")


def test_the_words_have_every_number(heatmap: Any) -> None:
    assert "adam, 0.1: 2.0 ± 1.4 (2); adam, 0.01: 5 (1); sgd, 0.01: 4 (1)" in describe(heatmap)


def test_the_caption_tells_of_deviations_where_the_cells_have_them(group: Make, heatmap: Any) -> None:
    mean = "Validation loss for each optimizer and learning rate: the mean over the runs"
    assert caption(heatmap) == f"{mean} (n = 1 to 2) ± one standard deviation."
    groups = [
        group({"optimizer": a, "optimizer.lr": b, "c.c": c}, [1.0, 1.0]) for a in "12" for b in "34" for c in "56"
    ]
    assert caption(gather(groups, "val/loss")) == f"{mean} (n = 2)."
