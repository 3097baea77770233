"""Standard output and error that outlast their reader: `| head`, a closed terminal, a terminal without Unicode."""

import io
import os
from contextlib import suppress
from typing import Any


class Nowhere(io.TextIOBase):
    """A stream that drops everything."""

    def write(self, text: str) -> int:
        return len(text)


class Lasting:
    """A text stream that passes everything on until nobody reads any more, and from then on drops it.

    Args:
        stream: sys.stdout or sys.stderr; None, as Python has it where the shell closed the stream.
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
        """Point the stream's descriptor at nothing, so that what Python still holds for it goes there too."""
        with suppress(OSError, ValueError), open(os.devnull, "w") as nothing:
            os.dup2(nothing.fileno(), self.stream.fileno())
        self.stream = Nowhere()
