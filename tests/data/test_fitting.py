"""A data set of one's own whose tensors do not fit is refused before the training, in a line that says what to do."""

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor

from atelier.compose.targets import build
from atelier.data.images import ImageData
from atelier.data.tensors import TensorData
from atelier.errors import InputError
from atelier.tasks.classifier import Classifier

OPTIONS = {"batch_size": 8, "eval_batch_size": 8, "validation_share": 0.2, "folds": None, "fold": 0}
OPTIONS |= {"train_size": None, "split_seed": 0, "shuffle": True, "seed": 0, "resident": False}
CLASSES = ["a", "b", "c"]


class Points(TensorData):
    """Signals (N, 20) of three classes, spoiled by `change`."""

    def __init__(self, change: Callable[[dict[str, Tensor]], Any] = lambda tensors: None) -> None:
        super().__init__(**OPTIONS)  # type: ignore[arg-type]
        self.change, self.shape, self.num_classes, self.names = change, (20,), 3, list(CLASSES)

    def load(self) -> tuple[dict[str, Tensor], list[str] | None]:
        tensors = {}
        for split, count in (("train", 60), ("test", 12)):
            tensors[f"{split}_images"] = torch.rand(count, 20)
            tensors[f"{split}_labels"] = torch.arange(count) % 3
        self.change(tensors)
        return tensors, self.names


def put(name: str, index: Any, value: float) -> Callable[[dict[str, Tensor]], None]:
    return lambda tensors: tensors[name].__setitem__(index, value)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda one: one.update(train_labels=one["train_labels"][:56]), "60 train_images have 56 train_labels"),
        (lambda one: one.update(test_labels=one["test_labels"].repeat(2)), "12 test_images have 24 test_labels"),
        (lambda one: one.pop("test_labels"), "it lacks test_labels"),
        (
            lambda one: one.update(train_labels=torch.where(torch.arange(60) == 3, torch.nan, 1.0)),
            "train_labels of Points have NaN or infinite numbers in 1 of 60 ",
        ),
        (
            lambda one: one.update(test_labels=torch.full((12, 2), torch.inf)),
            "test_labels of Points have NaN or infinite numbers in 12 of 12",
        ),
        (lambda one: one.update(train_images=one["train_images"].numpy()), "train_images are of type ndarray; make a "),
        (
            lambda one: one.update(test_labels=one["test_labels"].tolist()),
            "test_labels are of type list; make a tensor",
        ),
        (lambda one: one.update(train_images=torch.rand(60, 40)), r"data.shape=\[20\]: the train_images .* \[40\]"),
        (lambda one: one.update(test_images=torch.rand(12, 2, 10)), r"data.shape=\[20\]: the test_images .*\[2, 10\]"),
        (put("train_images", (5, 3), torch.nan), r"train_images .* NaN .* 1 of 60 \(the first: index 5\)"),
        (put("test_images", slice(2, 4), torch.inf), r"test_images .* 2 of 12 \(the first: index 2\)"),
        (put("test_labels", 1, 3), "data.num_classes=3: the test_labels .* have 3; classes are numbered from 0 to 2"),
        (put("train_labels", 1, -1), "data.num_classes=3: the train_labels .* have -1;"),
    ],
)
def test_what_does_not_fit_is_told(change: Callable[[Any], Any], told: str) -> None:
    with pytest.raises(InputError, match=told) as refused:
        Points(change).setup()
    assert len(str(refused.value).splitlines()) == 1


@pytest.mark.parametrize("kind", [torch.float32, torch.float64, torch.bool])
def test_labels_that_are_no_numbers_of_classes_are_counted_in_all_and_not_by_class(kind: torch.dtype) -> None:
    data = Points(lambda one: one.update(train_labels=one["train_labels"].to(kind)))
    data.setup()
    known, _ = data.account()
    assert known["samples"] == {"train": 48, "val": 12, "test": 12}
    assert "classes" not in known


def test_fewer_names_than_classes_are_told() -> None:
    data = Points()
    data.names = ["a", "b"]
    with pytest.raises(InputError, match=r"data\.num_classes=3: Points names 2 classes, a, b"):
        data.setup()


class Filled(Points):
    """Numbers that are missing become 0, and a network sees two channels."""

    def normalise(self, inputs: Tensor) -> Tensor:
        return inputs.nan_to_num().unflatten(1, (2, 10))


def test_what_normalise_mends_is_no_fault() -> None:
    data = Filled(put("train_images", (5, 3), torch.nan))
    data.shape = (2, 10)  # type: ignore[assignment]
    data.setup()
    assert len(data.sets["test"]) == 12


def test_labels_that_are_no_classes_may_be_any_numbers() -> None:
    data = Points(put("train_labels", 1, 700))
    data.num_classes, data.names = None, []
    data.setup()


class Wrong(ImageData):
    """Pictures whose test set has a class of its own."""

    cache_name = "wrong"

    def make(self) -> tuple[dict[str, Tensor], list[str] | None]:
        labels = torch.arange(30) % 3
        images = torch.zeros(30, *self.shape, dtype=torch.uint8)
        tensors = {"train_images": images, "train_labels": labels, "test_images": images, "test_labels": labels + 1}
        return tensors, CLASSES


def test_a_class_that_is_only_tested_is_told(compose: Any, tmp_path: Path) -> None:
    """The training would end before the test fails."""
    options = {
        **compose("data=digits").data,
        "folder": tmp_path,
        "shape": (1, 8, 8),
        "num_classes": 3,
        "mean": 0,
        "std": 1,
    }
    data = Wrong(**{key: value for key, value in options.items() if key not in ("_target_", "mixing")})
    data.prepare_data()
    with pytest.raises(InputError, match=r"data\.num_classes=3: the test_labels of Wrong have 3;"):
        data.setup()


@pytest.mark.parametrize(
    ("labels", "told"),
    [
        (torch.zeros(60, 1, dtype=torch.int64), r"are \(N, 1\) int64; Classifier takes the number of a class for each"),
        (torch.zeros(60, 3), r"are \(N, 3\) float32;"),
        (torch.zeros(60, dtype=torch.int32), r"are \(N\) int32;"),
    ],
)
def test_a_classifier_takes_one_class_for_each_input(compose: Any, labels: Tensor, told: str) -> None:
    task = build(compose().task)
    assert isinstance(task, Classifier)
    data = SimpleNamespace(num_classes=10, sets={"train": SimpleNamespace(labels=labels)})
    task.trainer = SimpleNamespace(datamodule=data)  # type: ignore[assignment]
    with pytest.raises(InputError, match=told):
        task.outputs()


def test_a_set_that_reads_no_files_names_what_answers() -> None:
    with pytest.raises(InputError, match="Points reads no files; split=test "):
        Points().load_file(Path("signals.npy"))
