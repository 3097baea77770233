"""Handles Ctrl-C, SIGTERM and SIGHUP: the run finishes its step, saves a checkpoint and prints how to resume it.

Lightning's own signal connector saves no checkpoint on SIGTERM, and ends with exit status 1 on Ctrl-C.
"""

import os
import signal
import sys
from types import FrameType
from typing import Any

import lightning.pytorch as lightning
import torch
import torch.distributed


def endings() -> list[signal.Signals]:
    """The signals that make a run or a sweep save and end; SIGHUP only if nohup does not ignore it."""
    asked = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]
    return [number for number in asked if signal.getsignal(number) != signal.SIG_IGN or number != signal.SIGHUP]


class Interrupted(Exception):
    """Raised to end a run on a signal, after its checkpoint was saved."""

    def __init__(self, signal_number: int) -> None:
        super().__init__(signal.Signals(signal_number).name)
        self.exit_status = 128 + signal_number


class StopRequest:
    """Remembers the first signal of `endings`; a second Ctrl-C ends the program at once."""

    def __init__(self) -> None:
        self.received = 0
        self.before: dict[int, Any] = {}

    def listen(self) -> None:
        """Install the signal handlers; called again after Lightning has installed its own."""
        for number in endings():
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
        """The signal that any process of the run received, or 0; a collective call of all processes."""
        if trainer.world_size == 1:
            return self.received
        numbers = torch.tensor(self.received, device=trainer.strategy.root_device)
        torch.distributed.all_reduce(numbers, torch.distributed.ReduceOp.MAX)
        return int(numbers)
