"""Augmentation changes training batches, and no others."""

import warnings
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from omegaconf import DictConfig
from torch import Tensor

from atelier.compose.build import build_data, build_task, build_trainer
from atelier.data.augment import PhotoJitter
from atelier.errors import InputError
from atelier.runs.terminal import quieten_lightning

SETS = {
    "images": ["data.train_size=200"],
    "clocks": [
        *("data=clocks", "task=clock", "encoding=angles", "network=clock_cnn_small"),
        *("data.image_size=32", "data.num_images=2160"),
    ],
    "pairs": ["experiment=pairs", "data=digit_pairs_digits", "data.train_pairs=128"],
}


@pytest.mark.parametrize("kind", SETS)
def test_no_batch_that_validates_or_tests_is_augmented(
    compose: Callable[..., DictConfig], data_dir: Path, kind: str
) -> None:
    quieten_lightning()
    config = compose(
        *SETS[kind], "network.hidden=[4]", "data.augment=true", "debug=fast", "trainer=cpu", "callbacks=none"
    )
    config.paths.data = str(data_dir)
    data: Any = build_data(config)
    augmentation, stages = data.augmentation, []

    def noted(images: Tensor) -> Tensor:
        stages.append(data.trainer.state.stage.value)
        return augmentation(images)

    data.augmentation = noted
    task = build_task(config)
    trainer = build_trainer(config, task.network)
    trainer.fit(task, data)
    trainer.test(task, data, verbose=False)
    assert set(stages) == {"train"}


@pytest.mark.parametrize(
    ("kind", "asked"),
    [
        ("images", ["data.augment=true", "data.operations=2", "mixing=mixup"]),
        ("pairs", ["data.augment=true", "data.repair=true"]),
    ],
)
def test_overfitting_changes_no_batch(
    compose: Callable[..., DictConfig], data_dir: Path, kind: str, asked: list[str]
) -> None:
    for debug, changed in (([], True), (["debug=overfit"], False)):
        config = compose(*SETS[kind], *asked, *debug, f"paths.data={data_dir}")
        data: Any = build_data(config)
        data.prepare_data()
        data.setup()
        stored, labels = next(iter(data.train_dataloader()))
        data.trainer = SimpleNamespace(training=True, precision="32-true")
        inputs, given = data.on_after_batch_transfer((stored, labels), 0)
        assert (not torch.equal(inputs, data.normalise(stored))) == changed
        assert (given.shape != labels.shape or not torch.equal(given, labels)) == changed


@pytest.mark.parametrize("label", [(8, 8), (1, 8, 8), (2,), ()], ids=str)
@pytest.mark.parametrize(
    ("typed", "more"),
    [("data.operations=2", {}), ("data.augment=true", {}), ("data.augment=true", {"augmentation": PhotoJitter(10)})],
)
def test_images_do_not_move_without_labels_that_are_pictures(
    compose: Callable[..., DictConfig], label: tuple[int, ...], typed: str, more: dict[str, Any]
) -> None:
    data: Any = build_data(compose(typed))
    vars(data).update(more)
    images = torch.full((4, 1, 8, 8), 78, dtype=torch.uint8)
    given = images, torch.full((4, *label), 9)
    with warnings.catch_warnings(), pytest.raises(InputError) if len(label) > 1 else nullcontext() as told:
        warnings.simplefilter("ignore")  # of the deviation
        data.check_facts(*given)
    if told:
        words = f"{typed.partition('=')[0]}: labels {list(label)} would not move with their images"
        assert str(told.value).startswith(words)
