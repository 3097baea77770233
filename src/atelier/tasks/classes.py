"""What a task that tells classes apart asks of the classes and labels of its data set."""

from typing import Any

import lightning.pytorch as lightning
import torch

from atelier.errors import InputError


def classes_told_apart(task: lightning.LightningModule) -> int | None:
    """The number of classes of the data set; None if it states none.

    Raises:
        InputError: if there are fewer than two classes.
    """
    count = getattr(task.trainer.datamodule, "num_classes", None)  # type: ignore[attr-defined]
    if count is not None and count < 2:
        raise InputError(f"data.num_classes={count}: {type(task).__name__} tells classes apart; give 2 or more")
    return count


def one_class_each(task: lightning.LightningModule) -> int | None:
    """The same, for a task whose labels are the class of each input, (N,) int64.

    Raises:
        InputError: if there are fewer than two classes, or the training labels are something else.
    """
    data: Any = task.trainer.datamodule  # type: ignore[attr-defined]
    labels = getattr(getattr(data, "sets", {}).get("train"), "labels", None)  # None: made as they are needed
    if labels is not None and (labels.dim() != 1 or labels.dtype != torch.int64):
        shape = ", ".join(map(str, ["N", *labels.shape[1:]]))
        told = f"the labels of {type(data).__name__} are ({shape}) {str(labels.dtype).removeprefix('torch.')}"
        raise InputError(f"data: {told}; {type(task).__name__} takes the number of a class for each, (N) int64")
    return classes_told_apart(task)
