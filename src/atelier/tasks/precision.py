"""Converts inputs and outputs between a network, in the run's precision, and a task, in 32 bits or more."""

from typing import Any

import torch
from lightning_utilities.core.apply_func import apply_to_collection
from torch import Tensor, nn

from atelier.errors import InputError
from atelier.losses.precision import full


def check_eps(eps: float | None, kind: torch.dtype) -> None:
    """
    Raises:
        InputError: if an optimizer's `eps` is 0 in the precision of its weights.
    """
    if eps and torch.tensor(eps, dtype=kind) == 0:
        raise InputError(
            f"trainer.precision=16-true: the optimizer's eps={eps} is 0 in 16 bits, and it would divide by 0;"
            " choose trainer.precision=bf16-true, optimizer=sgd, or ++optimizer.eps=1e-4"
        )


def as_its_weights(network: nn.Module, inputs: tuple[Any, ...]) -> Any:
    """Forward pre-hook: convert floating-point inputs to the dtype of the weights; None if all have it already."""
    first = next(network.parameters(), None)
    if first is None or all(isinstance(given, Tensor) and given.dtype == first.dtype for given in inputs):
        return None
    kind = first.dtype
    return apply_to_collection(inputs, Tensor, lambda given: given.to(kind) if given.is_floating_point() else given)


def in_full(network: nn.Module, inputs: Any, outputs: Any) -> Any:
    """Forward hook: convert outputs to 32 bits or more; None if they have them already."""
    if isinstance(outputs, Tensor) and outputs.dtype in (torch.float32, torch.float64):
        return None
    return apply_to_collection(outputs, Tensor, full)
