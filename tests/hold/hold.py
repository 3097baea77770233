"""A place where a process of a test's waits, so that the test catches it there whatever the machine's speed."""

import os
import select
import signal
from contextlib import suppress
from pathlib import Path


def come_to(name: str) -> None:
    """If the test has put a file `name` into HELD_IN: write this process's number there and wait.

    That ends when the test takes the file away, or with a signal that the process has a handler for; what follows from
    the signal is the handler's business.
    """
    place = Path(os.environ["HELD_IN"], name)
    if not place.exists():
        return
    signalled, write = os.pipe()
    os.set_blocking(write, False)
    before = signal.set_wakeup_fd(write)  # before the test is told, so that no signal is missed
    try:
        with suppress(FileNotFoundError), place.open("r+") as file:  # the test may take it away just now
            file.write(str(os.getpid()))
            file.truncate()
        while place.exists() and not select.select([signalled], [], [], 0.02)[0]:
            pass
    finally:
        signal.set_wakeup_fd(before)
        os.close(signalled)
        os.close(write)
