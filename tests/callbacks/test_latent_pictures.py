"""As many pictures of fixed latents as are asked for, also where a task keeps fewer latents."""

from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor

from atelier.callbacks.latent_pictures import LatentPictures
from atelier.tasks.generative import FIXED, GenerativeTask


class Made:
    """The parts of a generative task that the callback uses, with a note of the latents."""

    latent_size = 2
    evaluating = nullcontext
    draw_latents: Any = GenerativeTask.draw_latents

    def __init__(self) -> None:
        self.latents, self.seen = torch.randn(FIXED, 2), torch.empty(0)

    def pictures(self, latents: Tensor) -> Tensor:
        self.seen = latents
        return torch.zeros(len(latents), 1, 4, 4)


@pytest.mark.parametrize("count", [1, FIXED, FIXED + 6])
def test_each_latent_is_drawn_and_stays_the_same(count: int, tmp_path: Path) -> None:
    (tmp_path / "figures").mkdir()
    callback, task = LatentPictures(count, every=1, frames=1), Made()
    trainer: Any = SimpleNamespace(is_global_zero=True, default_root_dir=str(tmp_path))
    callback.draw(trainer, task, 0)
    first = task.seen
    torch.manual_seed(5)
    callback.draw(trainer, task, 1)
    assert len(first.unique(dim=0)) == count
    assert torch.equal(first, task.seen)
    assert torch.equal(first[:FIXED], task.latents[:count])
