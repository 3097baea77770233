"""W&B runs that stayed on this machine, and the command that sends them."""

import shlex
from pathlib import Path

OFFLINE = "wandb/offline-run-*"  # in a run folder


def how_to_send(folder: Path) -> str | None:
    """The command that sends the offline W&B runs of a run, or of all jobs of a sweep; None if there are none."""
    for pattern in (OFFLINE, f"*/{OFFLINE}"):
        if any(folder.glob(pattern)):
            return f"wandb sync {shlex.quote(str(folder))}/{pattern}"
    return None
