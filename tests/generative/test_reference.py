"""The training images that a run's scores compare with: which ones, as what pictures, and how often."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from omegaconf import DictConfig
from torch import Tensor

from atelier.compose.build import build_task


class Data:
    """Ten images; each pixel of the one in row n is 20 n."""

    eval_batch_size = 3

    def __init__(self) -> None:
        images = (torch.arange(10, dtype=torch.uint8) * 20).view(10, 1, 1, 1).expand(-1, 1, 8, 8)
        self.sets = {"train": torch.utils.data.TensorDataset(images)}

    def normalise(self, images: Tensor) -> Tensor:
        return (images / 255 - 0.3) / 0.4


class Quality:
    has_reference = False

    def __init__(self) -> None:
        self.added: list[float] = []

    def to(self, device: torch.device) -> None: ...

    def add_reference(self, pictures: Tensor) -> None:
        self.has_reference = True
        self.added += [round(picture.mean().item() * 255 / 20, 3) for picture in pictures]


@pytest.mark.parametrize(
    ("size", "processes", "rows"),
    [(4, 1, [[0, 3, 6, 9]]), (4, 2, [[0, 6], [3, 9]]), (10, 1, [list(range(10))]), (50, 1, [list(range(10))])],
)
def test_it_is_spread_over_the_training_set_once_and_divided_among_the_processes(
    compose: Callable[..., DictConfig], small_models: dict[str, list[str]], size: int, processes: int, rows: list[Any]
) -> None:
    task = build_task(compose(*small_models["vae"], "features=pixels"))
    task.mean, task.std, task.reference_size = 0.3, 0.4, size
    for rank in range(processes):
        task._trainer = SimpleNamespace(datamodule=Data(), world_size=processes, global_rank=rank)
        task.quality = Quality()
        task.on_validation_start()
        task.on_test_start()
        assert task.quality.added == rows[rank]
