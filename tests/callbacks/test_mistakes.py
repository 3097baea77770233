"""The surest mistakes, against sorting all of them."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from atelier.callbacks import mistakes
from atelier.callbacks.evaluated import need_logits
from atelier.callbacks.mistakes import Mistakes
from atelier.errors import InputError


def test_the_file_lists_the_surest_mistakes_of_the_test_set(trained_digits: Any) -> None:
    logits, classes = trained_digits.evaluated("test", "best")
    confidence, predicted = logits.softmax(1).max(1)
    samples = zip(confidence.tolist(), predicted.tolist(), classes.tolist(), strict=True)
    wrong = [(sure, row, said, true) for row, (sure, said, true) in enumerate(samples) if said != true]
    expected = sorted(wrong, key=lambda one: -one[0])[:6]
    assert len(expected) == 6, "the network makes too few mistakes for this test"
    found = trained_digits.numbers("mistakes")
    assert [(int(row["sample"]), int(row["predicted"]), int(row["true"])) for row in found] == [
        (row, said, true) for _, row, said, true in expected
    ]
    assert [float(row["confidence"]) for row in found] == pytest.approx([sure for sure, *_ in expected], rel=1e-4)


def test_images_without_a_predicted_class_take_no_others_place() -> None:
    trainer: Any = SimpleNamespace(datamodule=SimpleNamespace(eval_batch_size=4), world_size=1, global_rank=0)
    logits = torch.tensor([[torch.nan, 0.0], [torch.inf, 0.0], [0.0, 2.0], [0.0, 2.0]])
    callback = Mistakes(count=2)
    tested = {"logits": logits, "classes": torch.tensor([1, 1, 1, 0])}
    callback.on_test_batch_end(trainer, None, tested, (torch.zeros(4, 1, 2, 2), tested["classes"]), 0)
    assert callback.found is not None
    assert callback.found[:, 1:][callback.found[:, 0] >= 0].tolist() == [[3, 0, 1]]


@pytest.mark.parametrize(("shape", "label"), [((1, 2, 2), 0), ((2,), 1)], ids=["no mistake", "no images"])
def test_without_mistakes_on_images_nothing_is_drawn(shape: tuple[int, ...], label: int, tmp_path: Path) -> None:
    data = SimpleNamespace(eval_batch_size=4)
    trainer: Any = SimpleNamespace(
        datamodule=data, world_size=1, global_rank=0, is_global_zero=True, default_root_dir=str(tmp_path)
    )
    tested = {"logits": torch.tensor([[2.0, 0.0]] * 4), "classes": torch.full((4,), label)}
    callback = Mistakes(count=2)
    callback.on_test_batch_end(trainer, None, tested, (torch.zeros(4, *shape), tested["classes"]), 0)
    callback.on_test_epoch_end(trainer, None)
    callback.on_test_end(trainer, None)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(("count", "told"), [(1, "88.1 %"), (3, "88.1 % to 62.2 %")])
def test_the_title_tells_the_highest_and_the_lowest_confidence(
    count: int, told: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "figures").mkdir()
    titles: list[str] = []
    monkeypatch.setattr(mistakes, "draw_sheet", lambda images, captions, path, title, **_: titles.append(title))
    monkeypatch.setattr(mistakes, "stored", lambda trainer, rows: rows)
    data = SimpleNamespace(eval_batch_size=4)
    trainer: Any = SimpleNamespace(
        datamodule=data, world_size=1, global_rank=0, is_global_zero=True, default_root_dir=str(tmp_path)
    )
    tested = {"logits": torch.tensor([[1.0, 0], [2, 0], [0.5, 0]]), "classes": torch.ones(3).long()}
    callback = Mistakes(count)
    callback.on_test_batch_end(trainer, None, tested, (torch.zeros(3, 1, 2, 2), tested["classes"]), 0)
    callback.on_test_end(trainer, SimpleNamespace(captions=lambda labels: ["cat"] * len(labels)))
    assert titles == [f"the {count} surest mistakes, confidence {told}: true and predicted class"]


def outputs(logits: tuple[int, ...], classes: tuple[int, ...]) -> dict[str, torch.Tensor]:
    return {"logits": torch.zeros(logits), "classes": torch.zeros(classes).long()}


OTHERS = {
    "nothing": None,
    "an error": {"error": [1.0]},
    "a class for each pixel": outputs((4, 3, 2, 2), (4, 2, 2)),
    "several labels": outputs((4, 3), (4, 3)),
    "a class for each step": outputs((4, 3, 7), (4, 7)),
}


@pytest.mark.parametrize("kind", OTHERS)
def test_a_task_that_is_no_classifier_is_left_alone(kind: str) -> None:
    callback = Mistakes(count=3)
    callback.on_test_batch_end(None, None, OTHERS[kind], (torch.zeros(4, 1, 2, 2), None), 0)  # type: ignore[arg-type]
    assert callback.found is None
    with pytest.raises(InputError, match=r"^callbacks\.asker: only for classifiers"):
        need_logits(OTHERS[kind], "asker")
