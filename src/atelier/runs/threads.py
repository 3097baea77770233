"""How many threads a run computes with: its last digits depend on them, so it goes on with as many as it began with."""

import os


def cores() -> int:
    """Processor cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def compute_with(threads: int) -> None:
    """Take so many threads from here on, in this process and those that it starts."""
    import torch  # late: the process that starts a sweep stays light

    os.environ["OMP_NUM_THREADS"] = str(threads)
    torch.set_num_threads(threads)


def told_if_scarce(threads: int | None, here: int | None = None) -> str:
    """A line where fewer cores are `here`, of this machine if nothing is said, than that; else nothing."""
    here = here or cores()
    if threads is None or threads <= here:
        return ""
    return f"Threads: {threads}, as it began, for the same numbers; this machine has {here} cores, so it is slower"
