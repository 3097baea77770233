"""Finds a study's metrics that nothing seems to log: no source of a task, a metric or a callback has their name."""

import os
import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from atelier.claims.claim import FACTS, SPLITS, read_claims
from atelier.claims.selection import metrics_named
from atelier.errors import nearest_first
from atelier.project import PACKAGE, VARIABLE, trusted

ROOMS = ("tasks", "metrics", "callbacks")  # of the library


def unlogged(study: Mapping[str, Any]) -> Iterator[str]:
    """A line for each metric of a checked `study` node's claims and figures whose name stands nowhere in that code.

    A name that code composes while it runs is told too: it is a caution. Of test/accuracy/cat, `accuracy` counts.
    """
    figures = enumerate(study.get("figures") or [])
    named = {one["metric"]: f"study.figures[{number}].metric" for number, one in figures if "metric" in one}
    for where, side in metrics_named(read_claims(study)):
        named.setdefault(side.metric, where)
    text = sources(bool(trusted())) if named else ""
    for metric, where in named.items():
        first, _, rest = metric.partition("/")
        name = rest.partition("/")[0] if first in SPLITS else first
        if metric not in FACTS and not re.search(rf"\b{re.escape(name)}\b", text):
            known = set(re.findall(rf'(?:"|(?:{"|".join(SPLITS)})/)([a-z]\w+)"', text))
            near = ", ".join(nearest_first(name, sorted(known))[:3])
            yield f"Beware: {where}={metric}: no task, metric or callback has this name; the nearest: {near}"


@cache
def sources(own: bool) -> str:
    """The code of the library's tasks, metrics and callbacks, and with `own` of all packages in the project's src/."""
    folders = [PACKAGE / room for room in ROOMS]
    if own:
        folders.append(Path(os.environ.get(VARIABLE) or PACKAGE.parent.parent) / "src")
    return "\n".join(file.read_text(encoding="utf-8") for folder in folders for file in sorted(folder.rglob("*.py")))
