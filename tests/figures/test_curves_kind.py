"""Curves over epochs: what is drawn is what was computed by hand."""

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from matplotlib.collections import PolyCollection

from atelier.errors import InputError
from atelier.figures import hover
from atelier.figures.kinds.curves import caption, describe, draw, gather

NAN = float("nan")
Make = Callable[..., Any]
CURVE = {"val/loss": {0: 1.0, 1: 0.5}}


def test_the_mean_and_the_deviation_of_each_epoch(group: Make) -> None:
    runs = [{"val/loss": {0: 1.0, 1: 4.0}}, {"val/loss": {0: 3.0, 1: 4.0}}]
    ((line,),) = [panel.lines for panel in gather([group({}, curves=runs)], "loss").panels]
    assert (line.split, line.places, line.mean, line.runs) == ("val", [1, 2], [2.0, 4.0], [2, 2])
    assert line.std == [pytest.approx(2**0.5), 0.0]


def test_an_epoch_that_some_runs_lack_is_the_mean_of_the_others(group: Make) -> None:
    runs = [{"val/loss": {0: 1.0, 1: 2.0, 2: 7.0}}, {"val/loss": {0: 3.0}}, {"val/loss": {1: NAN}}, {}]
    ((line,),) = [panel.lines for panel in gather([group({}, curves=runs)], "loss").panels]
    assert (line.places, line.mean, line.runs) == ([1, 2, 3], [2.0, 2.0, 7.0], [2, 1, 1])
    assert line.std == [pytest.approx(2**0.5), 0.0, 0.0]


@pytest.mark.parametrize(("mode", "sign"), [("max", 1), ("min", -1)])
def test_the_best_is_of_all_runs_and_not_of_those_that_trained_longest(group: Make, mode: str, sign: int) -> None:
    values = [(0.5, 0.7, 0.6), (0.4, 0.5), (0.6, 0.9, 0.9, 0.95)]  # of a run that patience ended, and so on
    runs = [{"val/elbo": dict(enumerate(sign * value for value in run))} for run in values]
    curves = gather([replace(group({}, curves=runs), objective=("val/elbo", mode))], "val/elbo")
    ((line,),) = [panel.lines for panel in curves.panels]
    assert (line.runs, line.best) == ([3, 3, 2, 1], 1)
    assert "(n = 3; where some have ended or have no value, over the others), with a band" in caption(curves)
    whole = gather([group({}, curves=[{"val/elbo": dict(enumerate(run[:2]))} for run in values])], "val/elbo")
    assert "(n = 3), with a band" in caption(whole)


def test_an_epoch_without_any_number_is_left_out(group: Make) -> None:
    runs = [{"train/loss": {0: 1.0, 1: NAN, 2: 3.0}}]
    ((line,),) = [panel.lines for panel in gather([group({}, curves=runs)], "loss").panels]
    assert (line.places, line.mean) == ([1, 3], [1.0, 3.0])


def test_training_is_solid_validation_dotted_and_what_differs_between_runs_has_a_band(group: Make) -> None:
    runs = [{"train/loss": {0: 1.0, 1: 2.0}, "val/loss": {0: v, 1: v + 2}} for v in (1.0, 2.0, 3.0)]
    (axes,) = draw(gather([group({}, curves=runs)], "loss")).axes
    drawn = {line.get_linestyle(): line for line in axes.lines if len(line.get_xdata()) > 1}
    assert drawn.keys() == {"-", ":"}
    assert list(drawn["-"].get_xdata()) == [1, 2]
    assert list(drawn["-"].get_ydata()) == [1.0, 2.0]
    assert list(drawn[":"].get_ydata()) == [2.0, 4.0]
    (band,) = [one for one in axes.collections if isinstance(one, PolyCollection)]
    corners = band.get_paths()[0].vertices
    at_first = corners[corners[:, 0] == 1][:, 1]
    assert (at_first.min(), at_first.max()) == (pytest.approx(1.0), pytest.approx(3.0))


@pytest.mark.parametrize(("metric", "scale"), [("loss", "log"), ("accuracy", "linear")])
def test_the_band_is_from_the_lowest_run_to_the_highest(group: Make, metric: str, scale: str) -> None:
    runs = [{f"val/{metric}": {0: v, 1: 0.01 * v}} for v in (0.1, 0.2, 3.0)]  # mean 1.1, deviation 1.65
    curves = gather([group({}, curves=runs)], metric)
    (axes,) = draw(curves).axes
    assert axes.get_yscale() == scale
    (band,) = [one for one in axes.collections if isinstance(one, PolyCollection)]
    corners = band.get_paths()[0].vertices
    assert (corners[:, 1].min(), corners[:, 1].max()) == (pytest.approx(0.001), pytest.approx(3.0))
    assert "(n = 3), with a band from the lowest to the highest" in caption(curves)


def test_two_runs_are_drawn_one_by_one_and_have_no_band(group: Make) -> None:
    runs = [{"val/loss": {0: v, 1: v + 2}} for v in (1.0, 3.0)]
    curves = gather([group({}, curves=runs)], "loss")
    (axes,) = draw(curves).axes
    assert not [one for one in axes.collections if isinstance(one, PolyCollection)]
    drawn = [line.get_xydata().T.tolist() for line in axes.lines if len(line.get_xdata()) == 2]
    assert drawn == [[[1, 2], values] for values in ([2, 4], [1, 3], [3, 5])]
    assert "(n = 2), with each of two runs as a thin line" in caption(curves)


@pytest.mark.parametrize(("mode", "best"), [("min", (2, 0.5)), ("max", (3, 0.8))])
def test_a_ring_is_where_the_metric_that_chooses_is_best(group: Make, mode: str, best: tuple[float, float]) -> None:
    runs = [{"val/loss": {0: 0.7, 1: 0.5, 2: 0.8}, "train/loss": {0: 0.1, 1: 0.2, 2: 0.3}}]
    one = replace(group({}, curves=runs), objective=("val/loss", mode))
    curves = gather([one], "loss")
    rings = [line for line in draw(curves).axes[0].lines if line.get_markerfacecolor() == "none"]
    assert [(ring.get_xdata()[0], ring.get_ydata()[0]) for ring in rings] == [best]
    assert "; a ring is where the best is." in caption(curves)
    assert "ring" not in caption(gather([replace(one, objective=("val/accuracy", "max"))], "loss"))


def test_a_metric_with_its_split_is_drawn_there_alone(group: Make) -> None:
    runs = [{"train/loss": {0: 1.0}, "val/loss": {0: 2.0}}]
    ((line,),) = [panel.lines for panel in gather([group({}, curves=runs)], "val/loss").panels]
    assert (line.split, line.mean) == ("val", [2.0])


def test_every_setting_has_its_line_and_its_name_in_the_legend(group: Make) -> None:
    groups = [group({"optimizer": name}, curves=[{"val/loss": {0: 1.0, 1: 0.5}}]) for name in ("sgd", "adam")]
    figure = draw(gather(groups, "loss", reference={"the report": 0.7}))
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == ["sgd", "adam", "validation", "the report"]
    lines = [line for line in figure.axes[0].lines if list(line.get_xdata()) == [1, 2]]
    assert len({line.get_color() for line in lines}) == len({line.get_marker() for line in lines}) == 2
    (reference,) = [line for line in figure.axes[0].lines if line.get_label() == "the report"]
    assert list(reference.get_ydata()) == [0.7, 0.7]


def test_many_settings_are_spread_over_panels_by_the_key_that_needs_the_fewest(group: Make) -> None:
    groups = [
        group({"optimizer": a, "optimizer.lr": b}, curves=[{"val/loss": {0: 1.0}}])
        for a in ("sgd", "adam", "adagrad")
        for b in ("1", "2", "3", "4")
    ]
    curves = gather(groups, "loss")
    assert [panel.title for panel in curves.panels] == ["sgd", "adam", "adagrad"]
    assert [line.label for line in curves.panels[1].lines] == [f"learning rate {n}" for n in "1234"]
    assert len(draw(curves).axes) == 3


def test_training_and_validation_have_a_panel_each_if_told(group: Make) -> None:
    runs = [{"train/loss": {0: 1.0, 1: 1.0}, "val/loss": {0: 2.0, 1: 2.0}}]
    curves = gather([group({"network": name}, curves=runs) for name in ("m", "n")], "loss", apart="split")
    assert [panel.title for panel in curves.panels] == ["training", "validation"]
    assert [[(one.label, one.split, one.mean) for one in panel.lines] for panel in curves.panels] == [
        [("network m", "train", [1.0, 1.0]), ("network n", "train", [1.0, 1.0])],
        [("network m", "val", [2.0, 2.0]), ("network n", "val", [2.0, 2.0])],
    ]
    drawn = [[line for line in axes.lines if len(line.get_xdata()) > 1] for axes in draw(curves).axes]
    assert [[line.get_marker() for line in lines] for lines in drawn] == [["o", "s"], ["o", "s"]]


def test_a_split_that_no_run_logged_has_no_panel(group: Make) -> None:
    curves = gather([group({"network": name}, curves=[CURVE]) for name in "mn"], "loss", apart="split")
    assert [panel.title for panel in curves.panels] == ["validation"]


def test_every_setting_has_a_panel_if_told(group: Make) -> None:
    groups = [group({"network": a, "output": b}, curves=[CURVE]) for a, b in (("m", None), ("m", "sigmoid"))]
    curves = gather(groups, "loss", apart="setting")
    assert [panel.title for panel in curves.panels] == [one.label for one in groups]
    assert [len(panel.lines) for panel in curves.panels] == [1, 1]


def test_a_key_has_a_panel_for_each_value_if_told(group: Make) -> None:
    groups = [
        group({"network": a, "optimizer": b}, curves=[{"val/loss": {0: 1.0}}]) for a in "mn" for b in ("sgd", "adam")
    ]
    assert [panel.title for panel in gather(groups, "loss").panels] == [""]
    curves = gather(groups, "loss", apart="optimizer")
    assert [panel.title for panel in curves.panels] == ["sgd", "adam"]
    assert [line.label for line in curves.panels[0].lines] == ["network m", "network n"]
    with pytest.raises(InputError, match="apart=seed: not swept; choose from: network, optimizer, setting, split"):
        gather(groups, "loss", apart="seed")


def test_many_settings_of_one_key_have_a_panel_each(group: Make) -> None:
    groups = [group({"optimizer.lr": str(n)}, curves=[{"val/loss": {0: n}}]) for n in range(30)]
    curves = gather(groups, "loss")
    assert [panel.title for panel in curves.panels] == [f"learning rate {n}" for n in range(24)]
    assert curves.left_out == 6
    assert "6 are left out" in caption(curves)
    assert [panel.lines[0].mean for panel in curves.panels] == [[n] for n in range(24)]


def test_a_share_has_a_linear_axis_however_low_it_begins(group: Make) -> None:
    rising = draw(gather([group({}, curves=[{"val/accuracy": {0: 0.03, 1: 0.85}}])], "accuracy"))
    assert rising.axes[0].get_yscale() == "linear"


def test_a_wide_range_is_logarithmic_and_what_is_not_positive_is_not(group: Make) -> None:
    wide = draw(gather([group({}, curves=[{"val/loss": {0: 100.0, 1: 1.0}}])], "loss"))
    assert wide.axes[0].get_yscale() == "log"
    crossing = draw(gather([group({}, curves=[{"val/loss": {0: 100.0, 1: -1.0}}])], "loss"))
    assert crossing.axes[0].get_yscale() == "linear"


def test_a_ring_at_the_edge_of_a_very_wide_range_is_whole(group: Make) -> None:
    figure = draw(gather([group({}, curves=[{"val/loss": {0: 2.3, 1: 1e-10}}])], "loss"))
    figure.draw_without_rendering()
    axes = figure.axes[0]
    ring = next(line for line in axes.lines if line.get_marker() == "o" and line.get_markerfacecolor() == "none")
    (_, lowest), height = axes.transData.transform((2, 1e-10)), ring.get_markersize() / 2 * figure.dpi / 72
    assert lowest - height > axes.bbox.y0


def test_every_number_is_within_the_axes(group: Make) -> None:
    figure = draw(gather([group({}, curves=[{"val/loss": {0: 200.0, 1: 1.0}}])], "loss", reference={"r": 900.0}))
    low, high = figure.axes[0].get_ylim()
    assert low < 1.0
    assert high > 900.0


@pytest.mark.parametrize("others", [1, 2])
def test_the_highest_run_is_within_a_logarithmic_axis(group: Make, others: int) -> None:
    """Thin lines of two runs, and the band of three: the mean of one that diverged for an epoch is far below it."""
    runs = [{"val/loss": {0: 90.0, 1: 2.0}}, *[{"val/loss": {0: 2.0, 1: 1.0}}] * others]
    figure = draw(gather([group({}, curves=runs)], "loss"))
    assert figure.axes[0].get_yscale() == "log"
    low, high = figure.axes[0].get_ylim()
    assert low < 1.0
    assert high > 90.0


def test_a_run_of_almost_0_does_not_press_the_others_together_in_a_logarithmic_axis(group: Make) -> None:
    for lowest in (0.0, 1e-9):
        runs = [{"val/loss": {0: 90.0, 1: 2.0}}, {"val/loss": {0: 90.0, 1: lowest}}]
        low, high = draw(gather([group({}, curves=runs)], "loss")).axes[0].get_ylim()
        assert 0.05 < low < 1.0
        assert high > 90.0


def test_the_pointer_shows_what_is_drawn_there(group: Make) -> None:
    runs = [{"val/loss": {0: v, 1: v + 2}} for v in (1.0, 3.0)]
    figure = draw(gather([group({"optimizer": "sgd"}, curves=runs)], "loss"))
    (axes,) = figure.axes
    told = [((x, y), words) for where, x, y, words in hover.told(figure) if where is axes]
    assert told == [
        ((1, 2.0), "sgd, validation, epoch 1, 2.0 ± 1.4, n = 2"),
        ((2, 4.0), "sgd, validation, epoch 2, 4.0 ± 1.4, n = 2"),
    ]


def test_runs_that_were_broken_from_the_first_epoch_on_are_told(group: Make) -> None:
    broken = group({}, curves=[{"train/loss": {0: NAN}, "val/loss": {0: NAN, 1: math.inf}}])
    with pytest.raises(InputError, match=r"^metric=loss: no run has a finite value of it$"):
        gather([broken], "loss")
    assert draw(gather([broken, group({}, curves=[CURVE])], "loss"))


def test_a_metric_that_no_run_logged_is_told_with_the_choices(group: Make) -> None:
    with pytest.raises(InputError, match="metric=los: no run logged it; choose from: test/loss, train/loss, val/loss"):
        gather([group({}, curves=[{"train/loss": {0: 1.0}, "val/loss": {0: 1.0}, "test/loss": {1: 1.0}}])], "los")


def test_the_numbers_are_told_in_words(group: Make) -> None:
    curves = gather([group({"optimizer": "sgd"}, curves=[{"val/loss": {0: 2.0, 1: 0.25}}])], "loss")
    assert "sgd (val): 0.25 at epoch 2" in describe(curves)
    assert np.isfinite(curves.panels[0].lines[0].mean).all()


def test_curves_of_runs_that_count_steps_are_over_steps(group: Make) -> None:
    from dataclasses import replace

    runs = [{"val/loss": {49: 1.0, 99: 0.5}}]
    curves = gather([replace(group({}, curves=runs), unit="step")], "loss")
    (axes,) = draw(curves).axes
    assert curves.panels[0].lines[0].places == [50, 100]
    assert axes.get_xlabel() == "step"
    assert "over the steps" in caption(curves)
    assert "0.5 at step 100" in describe(curves)


def test_long_titles_of_small_panels_do_not_run_into_each_other(group: Make) -> None:
    keys = ("optimizer", "optimizer.lr", "activation", "initializer", "seed")
    groups = [
        group(dict(zip(keys, ("adagrad", "0.005", "sigmoid", "glorot_uniform", str(n)), strict=True)), curves=[CURVE])
        for n in range(13)
    ]
    figure = draw(gather(groups, "loss"))
    figure.canvas.draw()
    boxes = [axes.title.get_window_extent() for axes in figure.axes if axes.get_title()]
    assert len(boxes) == len(groups)
    assert not [(i, j) for i in range(len(boxes)) for j in range(i) if boxes[i].overlaps(boxes[j])]


def test_a_study_of_one_change_at_a_time_has_a_panel_for_each_key_with_the_base_in_it(group: Make) -> None:
    changed = [("initializer", "he"), ("initializer", "zeros"), ("activation", "tanh"), ("activation", "elu")]
    changed += [("dropout", str(n)) for n in range(5)]
    settings = [replace(group({}, curves=[{"val/loss": {0: 1.0}}]), label="base", changed=[])]
    for key, value in changed:
        keys = [key, "initializer"] if value == "elu" else [key]  # of several, the first counts
        settings.append(replace(group({key: value}, curves=[{"val/loss": {0: 2.0}}]), label=value, changed=keys))
    curves = gather(settings[::-1], "val/loss")
    assert [panel.title for panel in curves.panels] == ["dropout", "activation", "initializer"]
    assert [line.label for line in curves.panels[2].lines] == ["base", "zeros", "he"]
    looks = [(line.get_color(), line.get_marker()) for line in draw(curves).axes[1].lines if len(line.get_xdata())]
    assert len(set(looks)) == 3, "the base and two activations look alike"


def test_training_as_it_is_measured_in_evaluation_stands_for_what_dropout_made_of_it(group: Make) -> None:
    logged = {"train/accuracy": {0: 0.5}, "train/clean_accuracy": {0: 0.8}, "val/accuracy": {0: 0.7}}
    curves = gather([group({}, curves=[logged])], "accuracy")
    assert {line.split: line.mean for line in curves.panels[0].lines} == {"train": [0.8], "val": [0.7]}
    assert "without dropout" in caption(curves)
    running = gather([group({}, curves=[logged, {"train/accuracy": {0: 0.5}}])], "accuracy")
    assert {line.split: line.mean for line in running.panels[0].lines}["train"] == [0.5]
    assert "without dropout" not in caption(running)
