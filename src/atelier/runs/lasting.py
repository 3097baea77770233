"""Keeps a program running when its output is closed (`| head`, a closed terminal) or cannot show Unicode."""

import os
from contextlib import suppress
from typing import Any

NOWHERE = os.fdopen(os.open(os.devnull, os.O_WRONLY), "w", closefd=False)  # drops everything


class Lasting:
    """A text stream that passes text on to `stream`, and drops it once `stream` is closed.

    Args:
        stream: sys.stdout or sys.stderr; None if the shell has closed the stream.
    """

    def __init__(self, stream: Any) -> None:
        self.stream = stream or NOWHERE
        if hasattr(self.stream, "reconfigure"):  # not a stream in memory
            self.stream.reconfigure(errors="replace")

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream, name)

    def write(self, text: str) -> int:
        try:
            self.stream.write(text)
        except (OSError, ValueError):
            self.drop()
        return len(text)

    def writelines(self, lines: Any) -> None:
        self.write("".join(lines))

    def flush(self) -> None:
        try:
            self.stream.flush()
        except (OSError, ValueError):
            self.drop()

    def drop(self) -> None:
        """Redirect the stream's file descriptor to /dev/null, so that buffered text is dropped, too."""
        with suppress(OSError, ValueError):
            os.dup2(NOWHERE.fileno(), self.stream.fileno())
        self.stream = NOWHERE
