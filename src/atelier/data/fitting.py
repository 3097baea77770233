"""Checks that the tensors of a data set fit each other, and what is stated of them."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from torch import Tensor

from atelier.data.cache import apart
from atelier.errors import InputError

if TYPE_CHECKING:
    from atelier.data.tensors import TensorData, Tensors


def check_tensors(data: "TensorData", tensors: "Tensors", classes: list[str] | None) -> None:
    """Check what `data.load()` gave.

    Raises:
        InputError: if a tensor is missing, inputs and labels are not equally many, inputs have another shape than
            `data.shape` or are not finite, or a label is no class of `data.num_classes`.
    """
    name = type(data).__name__
    if reason := apart(tensors):
        raise InputError(f"data: load() of {name} returned wrong tensors: {reason}")
    count = data.num_classes or len(classes or ())
    if classes and len(classes) != count:
        raise InputError(f"data.num_classes={count}: {name} names {len(classes)} classes, {', '.join(classes)}")
    for split in ("train", "test"):
        check_inputs(data, tensors[f"{split}_images"], f"{split}_images of {name}")
        check_labels(tensors[f"{split}_labels"], count, f"{split}_labels of {name}")
        check_finite(tensors[f"{split}_labels"], f"{split}_labels of {name}")


def check_inputs(data: "TensorData", inputs: Tensor, which: str) -> None:
    shape, stored = getattr(data, "shape", None), tuple(inputs.shape[1:])
    if not len(inputs):
        return
    if shape is not None and tuple(shape) not in (stored, tuple(data.normalise(inputs[:1]).shape[1:])):
        raise InputError(f"data.shape={list(shape)}: the {which} are {list(stored)}")
    check_finite(inputs, which, data.normalise)


def check_finite(tensor: Tensor, which: str, used: Callable[[Tensor], Tensor] = Tensor.float) -> None:
    """`used`: what is made of the samples, which may replace such numbers."""
    if not len(tensor) or not tensor.is_floating_point():
        return
    rows = (~tensor.isfinite().reshape(len(tensor), -1).all(1)).nonzero().flatten()
    if len(rows) and not bool(used(tensor[rows]).isfinite().all()):
        told = f"NaN or infinite numbers in {len(rows):,} of {len(tensor):,} (the first: index {int(rows[0])})"
        raise InputError(f"data: {which} have {told}; leave these samples out, or replace the numbers")


def check_labels(labels: Tensor, count: int, which: str) -> None:
    """`count`: number of classes, 0 if the labels are none; labels of several numbers each are the task's affair."""
    if not count or labels.dim() != 1 or labels.is_floating_point() or not len(labels):
        return
    wrong = labels[(labels < 0) | (labels >= count)]
    if len(wrong):
        told = f"the {which} have {int(wrong[0])}; classes are numbered from 0 to {count - 1}"
        raise InputError(f"data.num_classes={count}: {told}")
