"""The precision of running sums: a sum in 32 bits stops growing at 2^24 times the size of its summands."""

import warnings
from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torch.nn import Module
from torchmetrics import Metric


def precise(device: torch.device) -> torch.dtype:
    """float64 if the device supports it, else float32."""
    return torch.float32 if device.type == "mps" else torch.float64


class Summed(Metric):
    """Base class of metrics whose states are sums, which stay float64 (counts: int64) at any precision of the run.

    On a device without 64-bit floats, the sums are float32, with a warning.
    """

    full_state_update = False

    def _apply(self, fn: Callable[[Tensor], Tensor], exclude_state: Sequence[str] = "") -> Module:
        """Move to a device; a change of precision does not apply to the states."""
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
