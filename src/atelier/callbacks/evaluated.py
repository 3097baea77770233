"""Functions for callbacks that look at the tested set: its logits, the samples of a batch, their stored images."""

from typing import Any

import lightning.pytorch as lightning
import torch
import torch.distributed
from torch import Tensor

from atelier.errors import InputError
from atelier.figures.words import SPLITS


def logits_of(outputs: Any) -> tuple[Tensor, Tensor] | None:
    """Logits (N, C) and classes (N,) as a classifier's `test_step` returns them; None for another task."""
    if not isinstance(outputs, dict) or not {"logits", "classes"} <= outputs.keys():
        return None
    logits, classes = outputs["logits"], outputs["classes"]
    one_each = (logits.dim(), classes.dim()) == (2, 1)  # not of each pixel, and not several of an input
    return (logits.float(), classes) if one_each else None


def need_logits(outputs: Any, asker: str) -> tuple[Tensor, Tensor]:
    """
    Raises:
        InputError: if the task is no classifier; the message names the callback `asker`.
    """
    found = logits_of(outputs)
    if found is None:
        told = "only for classifiers; this task's test_step gives no logits (N, C) and classes (N,)"
        raise InputError(f"callbacks.{asker}: {told}")
    return found


def rows_of(trainer: lightning.Trainer, batch_index: int, count: int) -> Tensor:
    """The indices (count,) of a batch's samples in the tested set, on any rank."""
    first = batch_index * trainer.datamodule.eval_batch_size  # type: ignore[attr-defined]
    return (first + torch.arange(count)) * trainer.world_size + trainer.global_rank


def from_all(trainer: lightning.Trainer, own: Tensor) -> Tensor:
    """Gather a tensor, of equal shape on all ranks, from all ranks: (ranks, …)."""
    if trainer.world_size == 1:
        return own[None]
    parts = [torch.empty_like(own) for _ in range(trainer.world_size)]
    torch.distributed.all_gather(parts, own.contiguous())
    return torch.stack(parts)


def stored(trainer: lightning.Trainer, rows: Tensor) -> Tensor:
    """Samples of the tested set as stored, before normalisation."""
    data = trainer.datamodule  # type: ignore[attr-defined]
    return data.sets[data.test_split][rows.cpu()][0]


def tested_set(trainer: lightning.Trainer) -> str:
    """The tested set as a figure names it: training, validation, or test, as also with a user's own data."""
    return SPLITS[getattr(trainer.datamodule, "test_split", "test")]  # type: ignore[attr-defined]


def are_pictures(inputs: Tensor) -> bool:
    """Whether inputs (N, …) are grey or colour images (N, 1 or 3, H, W)."""
    return inputs.ndim == 4 and inputs.shape[1] in (1, 3)
