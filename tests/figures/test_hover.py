"""What the page shows beside the pointer: where the points are, and what is said of them."""

import gc
import weakref
from pathlib import Path

import matplotlib.image
import pytest
from matplotlib.figure import Figure

from atelier.figures import hover
from atelier.figures.group import Group
from atelier.figures.kinds import bars, line
from atelier.figures.palette import save
from atelier.report.groups import repeat_words
from atelier.runs.statistic import Statistic
from atelier.sweeps.records import Record


def drawn() -> Figure:
    figure = Figure(figsize=(4, 3))
    axes = figure.subplots()
    axes.set_xlim(0, 10)
    axes.set_ylim(1, 100)
    axes.set_yscale("log")
    axes.plot([2], [50], "s", color="red", markersize=4)
    hover.tell(axes, 2, 50, "here", "", "seed 1")
    hover.tell(axes, 11, 50, "outside")
    return figure


def test_a_point_is_where_the_picture_has_it(tmp_path: Path) -> None:
    figure = drawn()
    save(figure, tmp_path / "one")
    ((x, y, words),) = hover.points(figure)
    assert words == "here, seed 1"
    image = matplotlib.image.imread(tmp_path / "one.png")
    height, width = image.shape[:2]
    assert image[round(y * height), round(x * width), :3].tolist() == [1, 0, 0]


def test_what_is_remembered_goes_with_the_figure() -> None:
    alive = weakref.ref(drawn())
    gc.collect()
    assert alive() is None


def test_of_very_many_points_some_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hover, "MOST", 10)
    figure = drawn()
    for place in range(95):
        hover.tell(figure.axes[0], place / 10, 10, str(place))
    assert 5 <= len(hover.points(figure)) <= 10


def test_each_run_tells_its_setting_seed_and_value() -> None:
    one = Group("adam", {"lr": "0.1"}, {"val/loss": [0.5, None, 0.7]}, [], names=["seed 0", "seed 1", "seed 2"])
    other = Group("sgd", {"lr": "0.2"}, {"val/loss": [0.9]}, [], names=["seed 0"])
    told = [words for *_, words in hover.points(bars.draw(bars.gather([one, other], metric="val/loss")))]
    assert told == ["adam, 0.60 ± 0.14, n = 2", "adam, seed 0, 0.5", "adam, seed 2, 0.7", "sgd, 0.9, n = 1"]
    told = [words for *_, words in hover.points(line.draw(line.gather([one, other], metric="val/loss")))]
    assert "lr 0.1, seed 2, 0.7" in told or "learning rate 0.1, seed 2, 0.7" in told


def test_a_run_is_told_by_its_seed_and_fold() -> None:
    record = Record(None, {"seed": 3}, {"overrides": ["data.fold=1"]})
    assert repeat_words(record) == "seed 3, fold 1"


def test_names_stay_with_their_values() -> None:
    found = Statistic.of([1.0, None, float("nan"), 2.0], ["a", "b", "c", "d"])
    assert (found.values, found.names) == ((1.0, 2.0), ("a", "d"))
    assert found == Statistic.of([1.0, 2.0])
