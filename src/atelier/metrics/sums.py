"""In what running sums are kept: one in 32 bits stops growing once it is 2^24 times what is added."""

import warnings
from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torch.nn import Module
from torchmetrics import Metric


def precise(device: torch.device) -> torch.dtype:
    """float64, where the device has it."""
    return torch.float32 if device.type == "mps" else torch.float64


class Summed(Metric):
    """Base of metrics whose states are sums: float64 where they have fractions, int64 where they count.

    They stay so whatever precision the run has. On a device without 64 bits they are kept in 32, with a warning.
    """

    full_state_update = False

    def _apply(self, fn: Callable[[Tensor], Tensor], exclude_state: Sequence[str] = "") -> Module:
        """What moves a module to a device, or changes the precision of its weights."""
        device = fn(torch.empty(0)).device
        kind = precise(device)
        if kind != torch.float64 and device != self.device:
            warnings.warn(f"{device} has no 64 bits: means are summed in 32 bits there, and drift", stacklevel=2)
        for key, default in self._defaults.items():
            assert isinstance(default, Tensor)
            dtype = kind if default.is_floating_point() else default.dtype
            self._defaults[key] = default.to(device, dtype)
            setattr(self, key, getattr(self, key).to(device, dtype))
        return super()._apply(fn, tuple(self._defaults))
