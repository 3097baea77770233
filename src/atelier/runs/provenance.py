"""The provenance of a run's numbers: package versions, device, memory and number of threads."""

import hashlib
import importlib.metadata
import os
import platform
import resource
import sys
from collections.abc import Mapping
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # the process that starts a sweep does not import torch
    import torch

PACKAGES = ("torch", "torchvision", "lightning", "hydra-core", "torchmetrics", "numpy", "wandb")


@cache  # reading a package's version takes a millisecond or two
def versions(root: Path) -> dict[str, str]:
    """The versions of Python and the packages, and the SHA-256 of the project's requirements.lock as `lock`."""
    found = {"python": platform.python_version()}
    if (lock := root / "requirements.lock").is_file():
        found["lock"] = hashlib.sha256(lock.read_bytes()).hexdigest()[:12]
    for package in PACKAGES:
        with suppress(importlib.metadata.PackageNotFoundError):
            found[package] = importlib.metadata.version(package)
    return found


def recorded(here: dict[str, Any], before: Mapping[str, Any]) -> dict[str, Any]:
    """The entries of run.json for where a run computes; what it has `before` stays, and `resumed` lists what differs.

    >>> recorded({"device": "cpu"}, {"device": None}), recorded({"device": "cpu"}, {"device": "cuda"})
    ({'device': 'cpu'}, {'resumed': [{'device': 'cpu'}]})
    """
    if before.get("device") is None:
        return here
    first, others = {key: before.get(key) for key in here}, list(before.get("resumed") or ())
    return {} if here in (first, *others) else {"resumed": [*others, here]}


def device_name(device: "torch.device") -> str:
    import torch

    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"{device.type} ({platform.processor() or platform.machine()})"


def peak_memory_mb(device: "torch.device") -> float:
    """Peak memory in MiB: of the tensors on the GPU, else of this process."""
    import torch

    if device.type == "cuda":
        return round(torch.cuda.max_memory_allocated(device) / 2**20, 1)
    unit = 2**20 if sys.platform == "darwin" else 2**10
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit, 1)


def cores() -> int:
    """Number of CPU cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def threads_asked() -> int:
    """The threads that OMP_NUM_THREADS asks for, the first of a list; 0: none, as OpenMP reads what is no number."""
    first = os.environ.get("OMP_NUM_THREADS", "").split(",")[0].strip()
    return int(first) if first.isdecimal() else 0


def told_if_scarce(threads: int | None, here: int | None = None) -> str:
    """A message if there are more threads than cores, else ""; `here`: number of cores, None: this machine's."""
    here = here or cores()
    if threads is None or threads <= here:
        return ""
    return f"Threads: {threads}, as at the start, for equal numbers; this machine has {here} cores, so it is slower"


def rank() -> int:
    """The rank of this process in its run."""
    from lightning.pytorch.utilities.rank_zero import rank_zero_only

    return int(rank_zero_only.rank)  # type: ignore[attr-defined]
