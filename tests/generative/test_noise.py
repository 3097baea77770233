"""The noise of evaluation: the same at every call, and another one for every sample of every process."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from omegaconf import DictConfig
from torch import Tensor

from atelier.compose.build import build_task

SIZE = 8  # of a batch
Draw = Callable[[int, int], Tensor]


@pytest.fixture(params=["gan", "vae"])
def draw(
    request: Any,
    compose: Callable[..., DictConfig],
    small_models: dict[str, list[str]],
    monkeypatch: pytest.MonkeyPatch,
) -> Draw:
    """`draw(3, 1)`: the latents (2·SIZE, …) that process 1 of 3 evaluates two batches of equal pictures with."""
    task = build_task(compose(*small_models[request.param], "features=pixels")).eval()
    task.quality = None
    reader = task.network["generator" if request.param == "gan" else "decoder"]
    seen: list[Tensor] = []
    reader.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0].detach()))
    pictures = torch.zeros(SIZE, 1, 8, 8)

    def run(world: int, rank: int) -> Tensor:
        seen.clear()
        monkeypatch.setattr(task, "_trainer", SimpleNamespace(world_size=world, global_rank=rank))
        with torch.no_grad():
            for batch_index in range(2):
                task.validation_step((pictures, torch.zeros(SIZE)), batch_index)
        return torch.cat(seen)

    return run


@pytest.mark.parametrize("world", [1, 2, 3])
def test_every_sample_has_noise_of_its_own(draw: Draw, world: int) -> None:
    latents = torch.cat([draw(world, rank) for rank in range(world)])
    assert len(latents.unique(dim=0)) == len(latents) == 2 * SIZE * world


def test_the_noise_is_the_same_at_every_call_and_in_every_precision(draw: Draw) -> None:
    first = draw(2, 1)
    torch.set_default_dtype(torch.float64)  # as within the steps of a run in 64 bits
    try:
        assert torch.equal(draw(2, 1), first)
    finally:
        torch.set_default_dtype(torch.float32)
