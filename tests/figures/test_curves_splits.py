"""Curves of the test set, and of errors: which splits are drawn, and what is said of them."""

from collections.abc import Callable
from typing import Any

import pytest

from atelier.figures.kinds.curves import caption, draw, gather
from atelier.figures.words import SPLITS

Make = Callable[..., Any]
WATCHED = {
    "train/accuracy": {0: 0.5, 1: 0.75},
    "val/accuracy": {0: 0.4, 1: 0.6},
    "test/accuracy": {0: 0.375, 1: 0.625},
}


def test_the_test_set_is_drawn_only_where_it_is_asked_for(group: Make) -> None:
    (panel,) = gather([group({}, curves=[WATCHED])], "accuracy").panels
    assert [line.split for line in panel.lines] == ["train", "val"]
    (panel,) = gather([group({}, curves=[WATCHED])], "accuracy", splits=["train", "test"]).panels
    assert [(line.split, line.mean) for line in panel.lines] == [("train", [0.5, 0.75]), ("test", [0.375, 0.625])]


def test_the_legend_and_the_caption_say_test(group: Make) -> None:
    curves = gather([group({}, curves=[WATCHED])], "accuracy", splits=["train", "test"])
    axes = draw(curves).axes[0]
    dashes = {line.get_label(): line.get_linestyle() for line in axes.lines if not len(line.get_xdata())}
    assert dashes == {"training": "-", "test": "--"}
    assert (
        caption(curves)
        == "Accuracy over the epochs, n = 1; training is solid, test is dashed. Nothing is chosen by the test set."
    )


@pytest.mark.parametrize(("metric", "splits"), [("test/error", ["val"]), ("error", ["test"])])
def test_an_error_is_what_is_missing_to_the_accuracy(group: Make, metric: str, splits: list[str]) -> None:
    ((line,),) = [p.lines for p in gather([group({}, curves=[WATCHED])], metric, splits=splits).panels]
    assert (line.split, line.mean) == ("test", [0.625, 0.375])


def test_points_of_one_epoch_are_told_apart_and_stand_at_a_whole_number(group: Make) -> None:
    """A point has no line that could be solid or dotted."""
    first = {name: {0: values[0]} for name, values in WATCHED.items()}
    curves = gather([group({}, curves=[first] * 3), group({"a": "1"}, curves=[first] * 3)], "accuracy")
    axes = draw(curves).axes[0]
    assert [line.get_fillstyle() for line in axes.lines if len(line.get_xdata())] == ["full", "none"] * 2
    legend = {line.get_label(): line.get_fillstyle() for line in axes.lines if line.get_label() in SPLITS.values()}
    assert legend == {"training": "full", "validation": "none"}
    assert "training is filled, validation is hollow" in caption(curves)
    assert [tick for tick in axes.get_xticks() if abs(tick - 1) < 0.1] == [1]


def test_an_error_in_evaluation_mode_is_of_the_accuracy_in_evaluation_mode(group: Make) -> None:
    curves = gather([group({}, curves=[{**WATCHED, "train/clean_accuracy": {0: 0.75, 1: 0.875}}])], "error")
    means = {line.split: line.mean for line in curves.panels[0].lines}
    assert means == {"train": [0.25, 0.125], "val": [0.6, 0.4]}
    assert "all without dropout" in caption(curves)
