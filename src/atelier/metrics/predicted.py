"""The class that a network's outputs predict: that of the largest one, and none where they are no numbers any more."""

import torch
from torch import Tensor

NO_CLASS = -1


def predicted(logits: Tensor) -> Tensor:
    """The class (…) of the largest of the logits or probabilities (…, C); NO_CLASS if that is NaN or infinite.

    The softmax of such logits is NaN. Their argmax is a class nonetheless: a diverged network would be right about it.

    >>> predicted(torch.tensor([[0.0, 2.0], [1.0, torch.nan], [torch.inf, 0.0], [1.0, -torch.inf]]))
    tensor([ 1, -1, -1,  0])
    """
    largest, classes = torch.max(logits.detach(), dim=-1)
    return classes.masked_fill_(largest - largest != 0, NO_CLASS)  # ~isfinite, in fewer operations


def correct(logits: Tensor, classes: Tensor) -> Tensor:
    """Whether the `predicted` class of each row of logits (N, C) is the class (N,): (N,).

    Of mixed samples, `classes` are shares (N, C), of which the largest counts.

    >>> correct(torch.tensor([[2.0, 0.0], [torch.nan, torch.nan]]), torch.tensor([0, 0]))
    tensor([ True, False])
    """
    if classes.dim() == 2:
        classes = classes.argmax(1)
    return predicted(logits) == classes


def most_probable(logits: Tensor) -> list[tuple[int | None, float | None]]:
    """The most probable class of each row of logits (N, C), and its probability; None, None for NO_CLASS.

    >>> most_probable(torch.tensor([[0.0, 0.75], [torch.nan, 1.0]]).log())
    [(1, 1.0), (None, None)]
    """
    classes, probability = predicted(logits).tolist(), logits.softmax(1).amax(1).tolist()
    told = zip(classes, probability, strict=True)
    return [(None, None) if label == NO_CLASS else (label, round(share, 4)) for label, share in told]
