"""Swept keys whose names end alike, such as the channels of a generator and of a discriminator."""

from collections.abc import Callable, Mapping
from typing import Any

import pytest

from atelier.figures.group import Group, Run
from atelier.figures.kinds import curves, heatmap, search
from atelier.figures.words import describe_values

Make = Callable[..., Group]
PAIRS = [("generator.channels", "discriminator.channels"), ("encoder.hidden", "decoder.hidden"), ("a.lr", "b.lr")]


@pytest.fixture(params=PAIRS, ids=lambda pair: pair[0])
def settings(request: Any) -> list[Mapping[str, str]]:
    """The settings of a grid of two keys with four values each."""
    one, two = request.param
    return [{one: a, two: b} for a in ("1", "2", "4", "8") for b in ("16", "32", "64", "128")]


def test_a_heatmap_names_both(group: Make, settings: list[Mapping[str, str]]) -> None:
    rows, columns = settings[0]
    found = heatmap.gather([group(values, [float(n)]) for n, values in enumerate(settings)], "val/loss")
    axes = heatmap.draw(found).axes[0]
    assert (axes.get_ylabel(), axes.get_xlabel()) == (rows, columns)
    for text in (heatmap.caption(found), heatmap.describe(found)):
        assert f"{rows} and {columns}" in text


def test_curves_in_panels_name_the_key_of_the_panel_and_of_the_lines(
    group: Make, settings: list[Mapping[str, str]]
) -> None:
    one, two = settings[0]
    made = [group(values, [1.0], [{"val/loss": {0: 1.0, 1: 0.5}}]) for values in settings]
    drawn = curves.gather(made, "val/loss", apart=one)
    assert [panel.title for panel in drawn.panels] == [f"{one} {value}" for value in ("1", "2", "4", "8")]
    assert {line.label for line in drawn.panels[0].lines} == {f"{two} {value}" for value in ("16", "32", "64", "128")}


def test_a_search_names_both(settings: list[Mapping[str, str]]) -> None:
    trials = [
        Group(f"trial {n}", values, {"val/loss": [float(n)]}, [], [Run(n, "completed", {"val/loss": float(n)})])
        for n, values in enumerate(settings)
    ]
    found = search.gather(trials, "val/loss")
    assert {axis.get_xlabel() for axis in search.draw(found).axes} == {"trial", *settings[0]}
    assert ", and against " + ", ".join(settings[0]) in search.caption(found)


def test_keys_of_other_words_stay_short() -> None:
    assert describe_values({"optimizer.lr": "0.1"}, among=["network.hidden"]) == "learning rate 0.1"
