"""Says of a run on made-up data, wherever its numbers are shown, that they mean nothing."""

import sys
from collections.abc import Mapping
from typing import Any, TextIO

FAKE = "data.source=fake: noise in the place of the data, so that the numbers mean nothing"


def print_if_fake(config: Mapping[str, Any], file: TextIO | None = None) -> None:
    """Print the sentence, to standard output if no `file` is given, if the configuration's data is made up."""
    if config["data"].get("source") == "fake":
        print(FAKE, file=file or sys.stdout)
