"""The curves of one run, from a metrics.csv written by hand."""

from pathlib import Path

from atelier.figures.curves import draw_curves, series_by_metric

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
