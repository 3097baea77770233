"""Pictures of several runs side by side: which are chosen, and where they lie."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from atelier.errors import InputError
from atelier.figures.group import Group
from atelier.figures.kinds import pictures

Make = Callable[..., Group]


def run(folder: Path, epochs: list[int], single: str | None = None) -> Path:
    figures = folder / "figures" / "latents"
    figures.mkdir(parents=True)
    for epoch in epochs:
        Image.new("RGB", (40, 20)).save(figures / f"epoch_{epoch:04d}.png")
    if single:
        Image.new("RGB", (40, 20)).save(folder / "figures" / f"{single}.png")
    return folder


def test_settings_are_shown_at_the_epochs_that_all_of_them_have(group: Make, tmp_path: Path) -> None:
    many = replace(group({"a": "1"}, [0.5]), folders=[run(tmp_path / "many", [0, 1, 2, 3, 4])])
    few = replace(group({"a": "2"}, [0.7]), folders=[run(tmp_path / "few", [0, 2, 4, 6])])
    found = pictures.gather([many, few], "val/loss", "latents")
    assert [[title for title, _ in row.pictures] for row in found.rows] == [["epoch 0", "epoch 2", "epoch 4"]] * 2
    assert found.rows[1].pictures[1][1] == tmp_path / "few" / "figures" / "latents" / "epoch_0002.png"
    assert found.rows[0].label == "a 1\nvalidation loss 0.5"


def test_settings_without_a_common_epoch_are_shown_at_their_last(group: Make, tmp_path: Path) -> None:
    folders = [run(tmp_path / str(k), epochs) for k, epochs in enumerate(([0, 2, 4], [1, 3]))]
    settings = [replace(group({"a": str(k)}), folders=[folder]) for k, folder in enumerate(folders)]
    rows = pictures.gather(settings, "val/loss", "latents").rows
    assert [[title for title, _ in row.pictures] for row in rows] == [["epoch 4"], ["epoch 3"]]


def test_more_epochs_than_columns_are_thinned_out_from_the_first_to_the_last(group: Make, tmp_path: Path) -> None:
    one = replace(group({"a": "1"}), folders=[run(tmp_path / "run", list(range(21)))])
    for columns, shown in ((3, ["epoch 0", "epoch 10", "epoch 20"]), (1, ["epoch 20"])):
        (row,) = pictures.gather([one], "val/loss", "latents", epochs=columns).rows
        assert [title for title, _ in row.pictures] == shown


def test_a_single_picture_is_taken_of_each_settings_first_run(group: Make, tmp_path: Path) -> None:
    first, second = (run(tmp_path / name, [], single="neighbours") for name in ("first", "second"))
    found = pictures.gather([replace(group({"a": "1"}), folders=[first, second])], "val/loss", "neighbours")
    assert [path for _, path in found.rows[0].pictures] == [first / "figures" / "neighbours.png"]


def test_single_pictures_stand_in_pairs(group: Make, tmp_path: Path) -> None:
    folders = [run(tmp_path / str(k), [], single="mistakes") for k in range(3)]
    settings = [replace(group({"a": str(k)}, [k]), folders=[folder]) for k, folder in enumerate(folders)]
    figure = pictures.draw(pictures.gather(settings, "val/loss", "mistakes"))
    figure.draw_without_rendering()
    shown = [part.axes[0].get_window_extent() for part in figure.subfigs if part.axes]
    assert len(shown) == 3
    assert shown[1].x0 > shown[0].x1
    assert shown[0].y0 > shown[2].y1


def test_runs_without_such_pictures_are_told(group: Make, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="name=latents: no run has drawn"):
        pictures.gather([replace(group({"a": "1"}), folders=[tmp_path])], "val/loss", "latents")


def test_a_figure_has_a_row_for_each_setting_and_says_so(group: Make, tmp_path: Path) -> None:
    settings = [replace(group({"a": str(k)}, [k]), folders=[run(tmp_path / str(k), [0, 5])]) for k in range(8)]
    found = pictures.gather(settings, "val/loss", "latents")
    figure = pictures.draw(found)
    assert len(figure.subfigs) == len(found.rows) == 6
    assert all(len(part.axes) == 2 for part in figure.subfigs)
    assert "2 are left out" in pictures.caption(found)
    assert "epoch 0, epoch 5" in pictures.describe(found)
