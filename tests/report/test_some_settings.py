"""A figure of some of the settings: which it draws, and what it calls them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from atelier.figures.words import describe_values
from atelier.report.pictures import draw_pictures
from atelier.sweeps.aggregate import aggregate

Sweep = Callable[..., Path]


def rising(values: dict[str, str], seed: int) -> list[float]:
    return [0.1, 0.2 + seed / 100, 0.3]


def test_a_figure_of_some_settings_tells_which_unless_the_study_does(made_up_sweep: Sweep, tmp_path: Path) -> None:
    """Its labels leave out what they have in common."""
    grid = {"optimizer": ["sgd", "adam"], "optimizer.lr": ["0.1", "0.01"]}
    results = aggregate([made_up_sweep(tmp_path / "s", grid, rising, seeds=(0,))])
    line = {"kind": "line", "metric": "test/accuracy", "of": {"optimizer": "adam"}}
    told, own, whole = draw_pictures(results, [line, {**line, "caption": "Ours."}, {**line, "of": {}}], tmp_path / "f")[
        0
    ]
    assert told.caption == "Only adam. Test accuracy against the learning rate, n = 1."
    assert own.caption == "Ours. Test accuracy against the learning rate, n = 1."
    assert whole.caption.startswith("Test accuracy against")


@pytest.mark.parametrize(
    ("key", "typed", "of", "drawn"),
    [
        ("optimizer", ["sgd", "adam", "adagrad"], ["adam", "sgd"], {"sgd", "adam"}),
        (
            "network.hidden",
            ["[64]", "[128,64]", "[256, 128]"],
            [[64], [128, 64]],
            {"hidden units [64]", "hidden units [128,64]"},
        ),
        ("optimizer.lr", ["1e-1", "0.010", "0.5"], [0.1, 0.01], {"learning rate 1e-1", "learning rate 0.010"}),
    ],
)
def test_a_figure_of_several_settings_leaves_out_the_others(
    made_up_sweep: Sweep, tmp_path: Path, key: str, typed: list[str], of: list[Any], drawn: set[str]
) -> None:
    results = aggregate([made_up_sweep(tmp_path / "s", {key: typed}, rising)])
    choices = [{key: value} for value in of]
    kinds = [{"kind": "curves", "metric": "loss"}, {"kind": "bars", "metric": "test/accuracy"}]
    pictures, problems = draw_pictures(results, [{**kind, "of": choices} for kind in kinds], tmp_path / "figures")
    assert problems == []
    labels = {describe_values({key: value}) for value in typed}
    assert [{label for label in labels if label in picture.alternative} for picture in pictures] == [drawn, drawn]
    _, (problem,) = draw_pictures(results, [{**kinds[1], "of": [{key: 7}, {"seed": 7}]}], tmp_path / "none")
    assert problem == f"Figure 1 (bars) was not drawn: of=[{{'{key}': 7}}, {{'seed': 7}}]: no setting has these values"


def test_a_figure_of_several_settings_calls_them_by_what_it_names(made_up_sweep: Sweep, tmp_path: Path) -> None:
    grid = {"optimizer": ["sgd", "adam"], "optimizer.lr": ["0.10"], "network.hidden": ["[64]", "[128]"]}
    results = aggregate([made_up_sweep(tmp_path / "s", grid, rising)])
    of = [{"optimizer": "sgd", "network.hidden": [64]}, {"optimizer": "adam", "network.hidden": [128]}]
    (picture,), _ = draw_pictures(
        results, [{"kind": "bars", "metric": "test/accuracy", "of": of}], tmp_path / "figures"
    )
    assert picture.alternative.endswith(
        "(runs): sgd, hidden units [64]: 0.29 ± 0 (3); adam, hidden units [128]: 0.29 ± 0 (3)."
    )


@pytest.mark.parametrize(
    ("of", "told"),
    [
        ({"optimizer.lr": 1e-1}, "sgd: 0.29 ± 0 (3); adam: 0.29 ± 0 (3)"),
        ({"optimizer.lr": 0.1, "optimizer": "adam"}, "mean ± deviation (runs): : 0.29 ± 0 (3)."),
        ({"optimizer": "sgd"}, "learning rate 0.10: 0.29 ± 0 (3); learning rate 0.01: 0.29 ± 0 (3)"),
        ({"network.output": None, "optimizer": "sgd"}, "learning rate 0.10: 0.29 ± 0 (3); learning rate 0.01"),
    ],
)
def test_a_figure_of_some_settings_calls_them_by_what_differs(
    made_up_sweep: Sweep, tmp_path: Path, of: dict[str, Any], told: str
) -> None:
    grid = {"optimizer": ["sgd", "adam"], "optimizer.lr": ["0.10", "0.01"]}
    results = aggregate([made_up_sweep(tmp_path / "s", grid, rising)])
    wanted = {"kind": "bars", "metric": "test/accuracy", "of": of}
    (picture,), problems = draw_pictures(results, [wanted], tmp_path / "figures")
    assert problems == []
    assert told in picture.alternative
    none = {"kind": "bars", "metric": "test/accuracy", "of": {"optimizer": "adagrad"}}
    _, (problem,) = draw_pictures(results, [none], tmp_path / "figures")
    assert problem == "Figure 1 (bars) was not drawn: of={'optimizer': 'adagrad'}: no setting has these values"
