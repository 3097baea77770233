"""In how many bits the numbers around a network are."""

import torch
from torch import Tensor


def full(values: Tensor) -> Tensor:
    """Real numbers of 16 bits in 32; others as they are, of any shape.

    >>> half = torch.tensor([0.1], dtype=torch.bfloat16)
    >>> full(half).dtype, full(half.double()).dtype, full(half.long()).dtype
    (torch.float32, torch.float64, torch.int64)
    """
    return values.to(torch.promote_types(values.dtype, torch.float32)) if values.is_floating_point() else values
