"""Sets that are made up have the real ones' shape and classes, and say what they are."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from omegaconf import DictConfig

from atelier.compose.targets import build
from atelier.data.images import ImageData

Compose = Callable[..., DictConfig]
Make = Callable[..., ImageData]


def test_a_made_up_set_has_the_real_ones_shape_and_classes(
    compose: Compose, context: Callable[[str, str], list[str]], tmp_path: Path, data_option: str, ready: Make
) -> None:
    config = compose(*context("data", data_option), f"data={data_option}", f"paths.data={tmp_path}")
    if "source" not in config.data:
        pytest.skip(f"data={data_option} is generated anyway")
    config.data.source = "fake"
    data = build(config.data)
    data.check_source()
    data = ready(data)
    stored, labels = next(iter(data.loader("train", train=True)))
    inputs, _ = data.on_after_batch_transfer((stored, labels), 0)
    assert stored.dtype == torch.uint8
    assert tuple(inputs.shape[1:]) == tuple(config.data.shape)
    if config.data.get("num_classes"):
        assert 0 <= labels.min() <= labels.max() < config.data.num_classes
    assert not list(tmp_path.rglob("*.safetensors")), "nothing made up is kept"


def test_a_run_on_made_up_data_says_so(run_verb: Callable[..., Any]) -> None:
    outcome = run_verb("train", "data=mnist", "data.source=fake", "debug=fast", "trainer=cpu", "callbacks=none")
    assert outcome.code == 0, outcome.err
    assert outcome.manifest["source"] == "fake"
    assert "data.source=fake" in outcome.out


@pytest.mark.parametrize("part", ["data.validation_share=0", "data.validation_share=0.37", "data.folds=3"])
@pytest.mark.parametrize("size", [100, 2000, 6007])
def test_as_many_are_made_up_as_train(make: Make, ready: Make, part: str, size: int) -> None:
    sets = ready(make("fashion_mnist", "data.source=fake", f"data.train_size={size}", part)).sets
    assert len(sets["train"]) == size
    assert len(sets["train"].inputs) <= max(2000, 1.6 * size + 2)
