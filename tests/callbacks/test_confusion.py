"""The confusion matrix as numbers, against scikit-learn's, and as a picture."""

from collections import Counter
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from matplotlib import colormaps
from PIL import Image
from sklearn.metrics import confusion_matrix

from atelier.callbacks.confusion import Confusion
from atelier.figures.confusion import draw_confusion
from atelier.metrics.confusion import ConfusionMatrix
from atelier.metrics.predicted import NO_CLASS


def test_the_file_is_scikit_learns_matrix_of_the_test_set(trained_digits: Any) -> None:
    logits, classes = trained_digits.evaluated("test", "best")
    rows = trained_digits.numbers("confusion")
    digits = [str(digit) for digit in range(10)]
    assert [row["true, predicted as:"] for row in rows] == digits
    found = [[int(row[digit]) for digit in digits] for row in rows]
    assert found == confusion_matrix(classes, logits.argmax(1)).tolist()


@pytest.mark.parametrize("size", [2, 30, 120])
def test_the_diagonal_stands_out_for_any_number_of_classes(size: int, tmp_path: Path) -> None:
    draw_confusion(9 * torch.eye(size).long() + 1, [f"class {n}" for n in range(size)], tmp_path / "confusion.png")
    pixels = colours(tmp_path / "confusion.png")
    assert sum(pixels.values()) >= 600 * 600
    blue = [colour for colour, _ in pixels.most_common() if len(set(colour)) > 1]
    assert abs(sum(blue[0]) - sum(blue[1])) > 50, "of 765: the diagonal and the rest"


def test_a_class_without_samples_is_drawn_as_nothing(tmp_path: Path) -> None:
    draw_confusion(torch.tensor([[0, 0], [1, 3]]), ["a", "b"], tmp_path / "confusion.png")
    pixels = colours(tmp_path / "confusion.png")
    nothing = tuple(round(255 * part) for part in colormaps["Blues"](0.0)[:3])
    assert pixels[nothing] > sum(pixels.values()) / 10, "half of the matrix, with no number in it"


def test_true_classes_are_rows_and_predicted_ones_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    figures: list[Any] = []
    monkeypatch.setattr("atelier.figures.confusion.write_png", lambda figure, path: figures.append(figure))
    draw_confusion(torch.tensor([[6, 2, 0], [0, 0, 5]]), ["cat", "dog", "no class"], Path("none.png"))
    axes = figures[0].axes[0]
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("predicted class", "true class")
    assert [text.get_text() for text in axes.get_xticklabels()] == ["cat", "dog", "no class"]
    assert [text.get_text() for text in axes.get_yticklabels()] == ["cat", "dog"]
    assert axes.images[0].get_array().tolist() == [[75, 25, 0], [0, 0, 100]]
    said = {(*map(int, text.get_position()),): text.get_text() for text in axes.texts}  # {(column, row): text}
    assert said == {(0, 0): "75", (1, 0): "25", (2, 1): "100"}
    (top, bottom) = axes.get_ylim()[::-1]
    assert top < bottom, "the first class is at the top"


def colours(picture: Path) -> Counter[tuple[int, ...]]:
    """How many pixels of a picture have each colour."""
    with Image.open(picture) as image:
        pixels = np.asarray(image.convert("RGB"), dtype=np.int64) @ [65536, 256, 1]
    counts = zip(*(found.tolist() for found in np.unique(pixels, return_counts=True)), strict=True)
    return Counter({(one >> 16, one >> 8 & 255, one & 255): count for one, count in counts})


@pytest.mark.parametrize("broken", [0, 2])
def test_samples_without_a_predicted_class_have_a_last_column(broken: int, tmp_path: Path) -> None:
    (tmp_path / "figures").mkdir()
    task: Any = SimpleNamespace(test_confusion=ConfusionMatrix(2), captions=lambda labels: ["cat", "dog"])
    task.test_confusion.update(torch.tensor([0, 1, *[NO_CLASS] * broken]), torch.tensor([0, 0, *[1] * broken]))
    trainer: Any = SimpleNamespace(is_global_zero=True, default_root_dir=str(tmp_path))
    callback = Confusion()
    callback.on_test_epoch_end(trainer, task)
    callback.on_test_end(trainer, task)
    told = {0: "cat,dog\ncat,1,1\ndog,0,0\n", 2: "cat,dog,no class\ncat,1,1,0\ndog,0,0,2\n"}[broken]
    assert (tmp_path / "figures" / "confusion.csv").read_text() == '"true, predicted as:",' + told
    assert (tmp_path / "figures" / "confusion.png").stat().st_size > 0


def test_a_run_of_another_task_has_none(trained: Any) -> None:
    assert not list(trained.folder.glob("figures/confusion*"))
    assert not list(trained.folder.glob("figures/mistakes*"))
