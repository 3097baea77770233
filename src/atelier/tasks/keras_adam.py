"""Keras's Adam, for reports that used Keras."""

import math
from collections.abc import Callable
from typing import Any

from torch.optim import Adam


class KerasAdam(Adam):
    """Adam with ε added to √v before the bias correction: ε̂ of Kingma and Ba (2015, arXiv:1412.6980), section 2.

    w ← w − lr · √(1 − β₂ᵗ) / (1 − β₁ᵗ) · m / (√v + ε). PyTorch adds ε to √(v / (1 − β₂ᵗ)): with β₂ = 0.999, its first
    update is that of an ε 32 times smaller, which matters for gradients of the size of ε.

    Arguments are those of `torch.optim.Adam`.
    """

    def step(self, closure: Callable[[], float] | None = None) -> Any:
        own = [group["eps"] for group in self.param_groups]
        for group in self.param_groups:
            group["updates"] = group.get("updates", 0) + 1
            group["eps"] /= math.sqrt(1 - group["betas"][1] ** group["updates"])
        # Where an Adam was made before, torch has wrapped its step: both would call the hooks, such as an average's.
        step: Any = Adam.step
        try:
            return (step.__wrapped__ if getattr(step, "hooked", False) else step)(self, closure)
        finally:
            for group, eps in zip(self.param_groups, own, strict=True):
                group["eps"] = eps
