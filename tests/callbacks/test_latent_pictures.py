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

    def __init__(self, shape: tuple[int, ...] = (1, 4, 4)) -> None:
        self.latents, self.seen, self.shape = torch.randn(FIXED, 2), torch.empty(0), shape

    def pictures(self, latents: Tensor) -> Tensor:
        self.seen = latents
        return torch.zeros(len(latents), *self.shape)


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


def test_a_resumed_run_goes_on_and_ends_with_the_first_the_middle_and_the_last(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "figures").mkdir()
    drawn: list[str] = []
    monkeypatch.setattr(
        "atelier.callbacks.latent_pictures.draw_panels",
        lambda panels, path, columns, title: drawn.extend(name for name, _ in panels),
    )
    callback, task = LatentPictures(1, every=1, frames=1), Made()
    trainer: Any = SimpleNamespace(is_global_zero=True, default_root_dir=str(tmp_path), global_step=0)
    callback.on_train_start(trainer, task)
    for done in (2, 5, 8):
        callback.draw(trainer, task, done)
    before = [file.stat().st_mtime_ns for file in sorted((tmp_path / "figures" / "latents").iterdir())]
    trainer.global_step, trainer.current_epoch = 80, 8
    callback.on_train_start(trainer, task)
    callback.on_train_end(trainer, task)
    assert [file.stat().st_mtime_ns for file in sorted((tmp_path / "figures" / "latents").iterdir())] == before
    assert drawn == ["epoch 0", "epoch 5", "epoch 8"]


def test_points_are_no_pictures(tmp_path: Path) -> None:
    trainer: Any = SimpleNamespace(is_global_zero=True, default_root_dir=str(tmp_path), global_step=0)
    LatentPictures(1, every=1, frames=1).on_train_start(trainer, Made(shape=(2,)))
    assert not list(tmp_path.iterdir())
