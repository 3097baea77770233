"""Seeds the random generators of a process (torch, NumPy, Python), and saves and restores their states."""

import random
from typing import Any

import numpy as np
import torch

State = dict[str, Any]  # tensors and plain data


def seed_generators(seed: int) -> None:
    """Seed all random generators, also those of every device.

    Workers of a DataLoader follow: torch seeds their generators with a number drawn from its own.
    """
    torch.manual_seed(seed)
    np.random.seed(seed % 2**32)
    random.seed(seed)


def random_state(device: torch.device) -> State:
    """The states of all random generators; of torch's, those of the CPU and of `device`."""
    version, words, gauss = random.getstate()
    _, keys, position, has_gauss, cached = np.random.get_state()
    state: State = {
        "cpu": torch.get_rng_state(),
        "numpy": [torch.from_numpy(np.asarray(keys, dtype=np.int64)), int(position), int(has_gauss), float(cached)],
        "python": [version, torch.tensor(words), gauss],
    }
    if device.type in ("cuda", "mps"):
        state[device.type] = getattr(torch, device.type).get_rng_state()
    return state


def set_random_state(state: State, device: torch.device) -> None:
    torch.set_rng_state(state["cpu"].cpu())
    if device.type in state and device.type != "cpu":
        getattr(torch, device.type).set_rng_state(state[device.type].cpu())
    keys, *rest = state["numpy"]
    np.random.set_state(("MT19937", keys.cpu().numpy().astype(np.uint32), *rest))
    version, words, gauss = state["python"]
    random.setstate((version, tuple(words.tolist()), gauss))
