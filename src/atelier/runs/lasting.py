"""Keeps a program running when its output is closed (`| head`, a closed terminal) or cannot show Unicode."""

import io
import os
from contextlib import suppress
from typing import Any


class Nowhere(io.TextIOBase):
    """A stream that drops everything."""

    def write(self, text: str) -> int:
        return len(text)


class Lasting:
    """A text stream that passes text on to `stream`, and drops it once `stream` is closed.

    Args:
        stream: sys.stdout or sys.stderr; None if the shell has closed the stream.
    """

    def __init__(self, stream: Any) -> None:
        self.stream = stream or Nowhere()
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
        with suppress(OSError, ValueError), open(os.devnull, "w") as nothing:
            os.dup2(nothing.fileno(), self.stream.fileno())
        self.stream = Nowhere()
