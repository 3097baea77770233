"""Converts outputs of a network in half precision to 32 bits."""

import torch
from torch import Tensor


def full(values: Tensor) -> Tensor:
    """Convert 16-bit floating-point values to 32 bits; leave other values unchanged; any shape.

    >>> half = torch.tensor([0.1], dtype=torch.bfloat16)
    >>> full(half).dtype, full(half.double()).dtype, full(half.long()).dtype
    (torch.float32, torch.float64, torch.int64)
    """
    return values.to(torch.promote_types(values.dtype, torch.float32)) if values.is_floating_point() else values
