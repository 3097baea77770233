"""Ctrl-C and SIGTERM: finish the step, save, say how to go on.

Lightning's own connector ends a training on SIGTERM without a checkpoint, and one that hears Ctrl-C with status 1.
"""

import os
import signal
import sys
from types import FrameType
from typing import Any

import lightning.pytorch as lightning
import torch
import torch.distributed


class Interrupted(Exception):
    """A run was asked to stop and has saved what it needs to go on."""

    def __init__(self, signal_number: int) -> None:
        super().__init__(signal.Signals(signal_number).name)
        self.exit_status = 128 + signal_number


class StopRequest:
    """Remembers the first Ctrl-C or SIGTERM; a second Ctrl-C ends the program at once."""

    def __init__(self) -> None:
        self.received = 0
        self.before: dict[int, Any] = {}

    def listen(self) -> None:
        """Install the handlers; again, if something else (Lightning) has put its own in place."""
        for number in (signal.SIGINT, signal.SIGTERM):
            current = signal.signal(number, self.handle)
            if current != self.handle:
                self.before.setdefault(number, current)

    def release(self) -> None:
        for number, handler in self.before.items():
            signal.signal(number, handler)

    def handle(self, number: int, frame: FrameType | None) -> None:
        if self.received and number == signal.SIGINT:
            raise KeyboardInterrupt
        self.received = number
        if os.environ.get("LOCAL_RANK", "0") == "0":
            print("\nStopping after this step (Ctrl-C again: at once) ...", file=sys.stderr)

    def agreed(self, trainer: lightning.Trainer) -> int:
        """The signal that any process of the run received, or 0; all processes must ask together."""
        if trainer.world_size == 1:
            return self.received
        numbers = torch.tensor(self.received, device=trainer.strategy.root_device)
        torch.distributed.all_reduce(numbers, torch.distributed.ReduceOp.MAX)
        return int(numbers)
