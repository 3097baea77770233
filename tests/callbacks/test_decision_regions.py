"""The regions of a classifier of points: its own probabilities, at the right epochs, and only for points."""

import csv
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from atelier.callbacks import decision_regions
from atelier.callbacks.decision_regions import SIDE, DecisionRegions, due_epochs, marked, shade
from atelier.compose.build import build_data, build_task
from atelier.data.loader import TensorSet
from atelier.runs.checkpoint import load_weights

Run = Callable[..., Any]
SMALL = [
    *("experiment=disk_scratch", "initializer=he_normal", "trainer=cpu"),
    *("data.train_points=150", "data.test_points=50"),
]


@pytest.fixture(scope="module")
def looked_at(run_verb: Run) -> Any:
    outcome = run_verb("train", *SMALL, "trainer.max_epochs=9", "callbacks=decision_regions")
    assert (outcome.code, outcome.err) == (0, "")
    return outcome


def test_the_file_holds_the_networks_probabilities(looked_at: Any, compose: Callable[..., Any]) -> None:
    rows = list(csv.DictReader((looked_at.folder / "figures" / "decision_regions.csv").read_text().splitlines()))
    assert sorted({int(row["epochs"]) for row in rows}) == [0, 1, 2, 4, 9]
    config = compose(*SMALL)
    task, data = build_task(config).eval(), build_data(config)
    load_weights(task, looked_at.folder / "checkpoints" / "last.ckpt")
    last = [row for row in rows if row["epochs"] == "9"]
    places = torch.tensor([[float(row["x"]), float(row["y"])] for row in last])
    found = task(data.normalise(places)).softmax(1)[:, 1]
    assert [float(row["probability"]) for row in last] == pytest.approx(found.tolist(), abs=2e-3)
    assert found.min() < 0.5 < found.max()


class Slope:
    """A task whose logit of class 1 is `slope` · (x − 1)."""

    device, evaluating, slope = torch.device("cpu"), nullcontext, 1.0

    def __call__(self, points: torch.Tensor) -> torch.Tensor:
        return torch.stack([torch.zeros(len(points)), self.slope * (points[:, 0] - 1)], 1)


def test_a_resumed_run_draws_its_regions_where_the_points_are_and_marks_the_wrong_ones(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "figures").mkdir()
    figures: list[Any] = []
    monkeypatch.setattr(decision_regions, "write_png", lambda figure, path, dpi: figures.append(figure))
    points = torch.tensor([[0.0, 0.0], [2, 0], [0, 1], [2, 1], [0.5, 0.3], [1.5, 0.6]])
    classes, rows = torch.tensor([0, 1, 0, 1, 1, 1]), torch.arange(6)
    sets = {"train": TensorSet(points, classes, rows[:4]), "val": TensorSet(points, classes, rows[4:])}
    data = SimpleNamespace(sets=sets, shape=(2,), num_classes=2, normalise=lambda points: points)
    trainer: Any = SimpleNamespace(
        datamodule=data, is_global_zero=True, default_root_dir=str(tmp_path), global_step=0, current_epoch=0
    )
    begun, resumed, task = DecisionRegions(frames=2), DecisionRegions(frames=2), Slope()
    begun.on_train_start(trainer, task)
    resumed.load_state_dict(begun.state_dict())
    trainer.global_step, trainer.current_epoch, task.slope = 9, 3, 5.0
    resumed.on_train_start(trainer, task)
    resumed.on_train_end(trainer, task)
    training, before, after = figures[0].axes
    assert [panel.get_title() for panel in figures[0].axes] == ["training points", "before training", "after 3 epochs"]
    for panel, slope in ((before, 1), (after, 5)):
        expected = (slope * (torch.linspace(0, 2, SIDE) - 1)).sigmoid().expand(SIDE, SIDE)  # rows are y
        torch.testing.assert_close(torch.tensor(panel.images[0].get_array()), expected, atol=1e-5, rtol=0)
    assert [kind.get_offsets().tolist() for kind in training.collections] == [[[0, 0], [0, 1]], [[2, 0], [2, 1]]]
    (marks,) = (one for one in after.collections if one.get_label() == "wrong in validation")
    assert marks.get_offsets().tolist() == [[0.5, pytest.approx(0.3)]]


def test_the_shades_and_the_line_are_where_the_grid_is() -> None:
    """A probability that is 0.5 at x = 1.2, on a grid from 1 to 3: both the shades and the line are there."""
    x = torch.linspace(1, 3, SIDE)
    panel = Figure(figsize=(8, 8)).subplots()
    shade(panel, (0.5 + 2 * (x - 1.2)).clamp(0, 1).expand(SIDE, SIDE), (1, 3, -1, 1))
    (line,) = panel.collections
    assert line.get_paths()[0].vertices[:, 0] == pytest.approx(1.2, abs=1e-6)
    line.remove()
    FigureCanvasAgg(panel.figure).draw()
    pixels = np.asarray(panel.figure.canvas.buffer_rgba())[..., :3].astype(int)
    for y in (-0.98, 0.0, 0.98):
        column, row = panel.transData.transform((1.2, y)).round().astype(int)
        near = pixels[len(pixels) - row, column - 60 : column + 60]
        assert abs(near.min(axis=1).argmax() - 60) <= 1, "white, with one class's colour on each side"


def test_the_picture_is_not_blank(looked_at: Any, is_drawn: Callable[[Path], bool]) -> None:
    assert is_drawn(looked_at.folder / "figures" / "decision_regions.png")


@pytest.mark.parametrize(
    ("given", "split"),
    [("data.validation_share=0", "train"), ("data.validation_share=0.2", "val"), ("data.folds=3", "val")],
)
def test_mistakes_in_training_are_marked_where_no_points_validate(
    compose: Callable[..., Any], given: str, split: str
) -> None:
    data = build_data(compose(*SMALL, given))
    data.setup()
    assert marked(data) == split


def test_an_interrupted_run_marks_no_mistakes_on_regions_of_an_earlier_network(
    compose: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = compose(*SMALL)
    data, task = build_data(config), build_task(config)
    data.setup()
    trainer: Any = SimpleNamespace(
        is_global_zero=True, datamodule=data, default_root_dir=str(tmp_path), current_epoch=60
    )
    (tmp_path / "figures").mkdir()
    drawn: list[Any] = []
    keep = decision_regions.draw
    monkeypatch.setattr(decision_regions, "draw", lambda *given: (drawn.append(given[2]), keep(*given)))
    callback = DecisionRegions(5)
    callback.take(trainer, task, 22)
    callback.on_exception(trainer, task, KeyboardInterrupt())
    callback.on_train_end(trainer, task)
    assert drawn[0] is None
    assert drawn[1] is not None


def test_looking_changes_no_number(looked_at: Any, run_verb: Run) -> None:
    unseen = run_verb("train", *SMALL, "trainer.max_epochs=9", "callbacks=none")
    assert unseen.manifest["test"] == looked_at.manifest["test"]


@pytest.mark.slow
def test_a_resumed_run_has_the_regions_of_one_that_never_stopped(looked_at: Any, run_verb: Run) -> None:
    begun = run_verb("train", *SMALL, "trainer.max_epochs=2", "callbacks=decision_regions")
    resumed = run_verb("train", f"resume={begun.folder}", "trainer.max_epochs=9")
    assert (begun.code, resumed.code, resumed.err) == (0, 0, "")
    ours, theirs = (
        (outcome.folder / "figures" / "decision_regions.csv").read_text().splitlines() for outcome in (begun, looked_at)
    )
    assert set(theirs) <= set(ours), "and those that were due when the run was shorter"


def test_pictures_have_no_regions(run_verb: Run) -> None:
    outcome = run_verb("train", "debug=fast", "trainer=cpu", "callbacks=decision_regions")
    assert (outcome.code, outcome.err) == (0, "")
    assert not (outcome.folder / "figures" / "decision_regions.png").exists()


@pytest.mark.parametrize(
    ("epochs", "frames", "due"), [(100, 5, {1, 5, 22, 100}), (1, 5, {1}), (7, 2, {7}), (-1, 5, {-1})]
)
def test_regions_are_noted_more_often_in_the_beginning(epochs: int, frames: int, due: set[int]) -> None:
    assert due_epochs(epochs, frames) == due
