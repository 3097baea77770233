"""Finds a study's metrics that nothing logs: no source of a task, a metric or a callback has their name."""

import os
import re
from functools import cache
from pathlib import Path

from atelier.arguments import WrongValue
from atelier.errors import nearest_first
from atelier.project import PACKAGE, VARIABLE, trusted
from atelier.results.claims import FACTS, SPLITS

ROOMS = ("tasks", "metrics", "callbacks")  # of the library


def check_logged(metric: str, where: str) -> None:
    """
    Args:
        metric: a name with or without its split; of test/accuracy/cat, `accuracy` counts.
        where: the dotted key whose value it is.

    Raises:
        InputError: if the name stands nowhere in the code that may log it.
    """
    first, _, rest = metric.partition("/")
    name = rest.partition("/")[0] if first in SPLITS else first
    text = sources(bool(trusted()))
    if metric in FACTS or re.search(rf"\b{re.escape(name)}\b", text):
        return
    known = set(re.findall(rf'(?:"|(?:{"|".join(SPLITS)})/)([a-z]\w+)"', text))
    near = ", ".join(nearest_first(name, sorted(known))[:3])
    raise WrongValue(where, metric, f"no task logs {name!r}; the nearest: {near}")


@cache
def sources(own: bool) -> str:
    """The code of the library's tasks, metrics and callbacks, and with `own` of all packages in the project's src/."""
    folders = [PACKAGE / room for room in ROOMS]
    if own:
        folders.append(Path(os.environ.get(VARIABLE) or PACKAGE.parent.parent) / "src")
    return "\n".join(file.read_text(encoding="utf-8") for folder in folders for file in sorted(folder.rglob("*.py")))
