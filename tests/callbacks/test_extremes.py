"""The best and the worst test images: of all batches, in order of error, each with what was read in it."""

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor

from atelier.callbacks import extremes
from atelier.callbacks.extremes import Extremes

Drawn = Callable[..., Any]
RED = "#b2182b"


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Drawn:
    """`drawn(errors, batch_size, count, processes=1)`: what is drawn of images whose pixels are their numbers."""
    seen: list[Any] = []

    def draw_sheet(
        images: Tensor, captions: list[str], path: Path, columns: int, title: str, colors: list[str]
    ) -> None:
        numbers = [int(image[0, 0, 0]) for image in images]
        seen.append(SimpleNamespace(numbers=numbers, captions=captions, title=title, colors=colors))

    monkeypatch.setattr(extremes, "draw_sheet", draw_sheet)

    def draw(errors: list[float], batch_size: int, count: int, processes: int = 1, split: str = "test") -> Any:
        data = SimpleNamespace(picture=lambda images: images, test_split=split)
        trainer: Any = SimpleNamespace(
            is_global_zero=True, world_size=processes, datamodule=data, default_root_dir=str(tmp_path)
        )
        task = SimpleNamespace(captions=lambda labels: [f"time {label}" for label in labels.tolist()])
        callback = Extremes(count)
        error, true = torch.tensor(errors), torch.arange(len(errors))
        for _ in range(2):
            parts = zip(error.split(batch_size), true.split(batch_size), strict=True)
            for index, (wrong, label) in enumerate(parts):
                outputs = {"error": wrong, "true": label, "predicted": label + (wrong > 0)}
                images = label.float()[:, None, None, None].expand(-1, 1, 2, 2)
                callback.on_test_batch_end(trainer, task, outputs, (images, label), index)
            callback.on_test_end(trainer, task)
        assert seen[-1] == seen[-2], "a test again draws the same"
        return seen.pop()

    return draw


@pytest.mark.parametrize("batch_size", [1, 3, 10])
def test_they_are_those_of_the_whole_test_set_in_order_of_error(drawn: Drawn, batch_size: int) -> None:
    found = drawn([5.0, 0.0, 90.0, 7.0, 360.0, 2.0, 30.0, 1.0, 60.0, 8.0], batch_size, count=3)
    assert found.numbers == [1, 7, 5, 2 + 6, 2, 4]
    assert found.captions[0] == "time 1"
    assert found.captions[1:] == [f"time {n} read as time {n + 1}" for n in (7, 5, 8, 2, 4)]
    assert found.colors == ["black"] * 3 + [RED] * 3
    assert found.title == "best 3 and worst 3 of the test pictures"


@pytest.mark.parametrize(("errors", "told", "reds"), [([3.0, 1.0, 2.0], "best 2 and worst 1", 1), ([1.0], "best 1", 0)])
def test_a_small_test_set_is_not_called_larger(drawn: Drawn, errors: list[float], told: str, reds: int) -> None:
    found = drawn(errors, 2, count=12)
    assert [errors[number] for number in found.numbers] == sorted(errors)
    assert found.title.startswith(told)
    assert found.colors.count(RED) == reds


def test_a_title_tells_that_the_first_process_has_not_all(drawn: Drawn) -> None:
    assert drawn([3.0, 1.0], 2, count=1, processes=2).title.endswith(" of the test pictures, of one in 2")


@pytest.mark.parametrize(("split", "told"), [("train", "training"), ("val", "validation")])
def test_a_title_tells_of_another_split(drawn: Drawn, split: str, told: str) -> None:
    assert drawn([3.0, 1.0], 2, count=1, split=split).title == f"best 1 and worst 1 of the {told} pictures"


def test_a_task_without_errors_draws_nothing() -> None:
    trainer: Any = SimpleNamespace(is_global_zero=True)
    callback = Extremes(3)
    callback.on_test_batch_end(trainer, None, {"logits": torch.zeros(2)}, None, 0)
    callback.on_test_end(trainer, None)
    assert callback.seen == []


@pytest.mark.parametrize(
    "data", [SimpleNamespace(), SimpleNamespace(picture=lambda points: points)], ids=["none", "of points"]
)
def test_what_are_no_pictures_is_not_drawn(data: Any) -> None:
    trainer: Any = SimpleNamespace(is_global_zero=True, datamodule=data)
    callback, number = Extremes(3), torch.zeros(2)
    outputs = {"error": number, "predicted": number, "true": number}
    callback.on_test_batch_end(trainer, None, outputs, (torch.zeros(2, 5), number), 0)
    callback.on_test_end(trainer, None)
    assert callback.seen == []
