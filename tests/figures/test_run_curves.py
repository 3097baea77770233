"""The curves of one run, from a metrics.csv written by hand."""

import json
from pathlib import Path

import pytest

from atelier.figures.curves import curves_figure, draw_curves, series_by_metric

ROWS = """\
epoch,step,val/loss,train/loss,test/loss,test/accuracy/cat
0,9,1.5,,,
0,9,,2.0,{0},
1,19,1.25,,,
1,19,,1.0,{1},
2,20,,,1.5,0.75
"""


def written(folder: Path, *watched: float) -> Path:
    (folder / "figures").mkdir()
    (folder / "metrics.csv").write_text(ROWS.format(*(watched or ("", ""))))
    return folder / "metrics.csv"


def test_training_and_validation_and_nothing_of_the_final_test(tmp_path: Path) -> None:
    found = series_by_metric(written(tmp_path))
    assert found == {"loss": {"val": ([1, 2], [1.5, 1.25]), "train": ([1, 2], [2.0, 1.0])}}


def test_the_test_set_of_a_run_that_watched_it(tmp_path: Path) -> None:
    found = series_by_metric(written(tmp_path, 1.75, 1.625), "step")
    assert found["loss"]["test"] == ([10, 20], [1.75, 1.625])
    draw_curves(tmp_path)
    assert (tmp_path / "figures" / "curves.png").is_file()


@pytest.mark.parametrize(("unit", "places", "best"), [("epoch", [1, 2], 2), ("step", [10, 20], 20)])
def test_each_metric_has_a_panel_with_its_curves_and_the_best_place(
    tmp_path: Path, unit: str, places: list[int], best: int
) -> None:
    written(tmp_path, 1.75, 1.625)
    (tmp_path / "run.json").write_text(json.dumps({"objective": {"best_epoch": 1, "best_step": 20}}))
    figure = curves_figure(tmp_path, unit)
    assert figure is not None
    (panel,) = figure.axes
    assert (panel.get_title(), panel.get_xlabel()) == ("loss", unit)
    drawn = {str(line.get_label()): (list(line.get_xdata()), list(line.get_ydata())) for line in panel.lines}
    assert drawn.pop(f"best {unit}: {best}")[0] == [best, best]
    assert drawn == {
        "training": (places, [2.0, 1.0]),
        "validation": (places, [1.5, 1.25]),
        "test": (places, [1.75, 1.625]),
    }
    assert len({line.get_linestyle() for line in panel.lines if line.get_label() in drawn}) == 3, "also in grey"


def test_a_run_that_logged_nothing_has_no_curves(tmp_path: Path) -> None:
    assert curves_figure(tmp_path) is None
