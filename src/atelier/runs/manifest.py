"""The manifest, run.json: a run's description, its status (running, completed, failed, interrupted), its results."""

import json
import os
import re
import tempfile
from pathlib import Path
from typing import Any

from atelier.runs.rows import GAPS

CONTROL = re.compile(r"\\u00(?:1b|9b)|[\x1b\x7f-\x9f]", re.IGNORECASE)  # a terminal's commands, also in JSON
KINDS: dict[str, type] = {"seed": int, "changes": dict}
KINDS |= dict.fromkeys(("overrides", "resumed", "jobs", "swept"), list)  # jobs, swept: a sweep's
KINDS |= dict.fromkeys(("objective", "test", "seconds", "versions", "git", "sureness", "presentation", "search"), dict)
UNTESTED: dict[str, Any] = {"test": {}, "sureness": None}  # what a test writes, without one
UNENDED: dict[str, Any] = {"pruned": False, "stopped_early": None}  # what ends a training early writes, before it does
MARKS = {"tags", "note"}  # keys that a user sets, also after the run


class Manifest:
    """The contents of a run.json or a sweep.json; each `update` writes the whole file atomically."""

    def __init__(self, path: Path, content: dict[str, Any]) -> None:
        self.path = path
        self.content = content

    @classmethod
    def read(cls, path: Path) -> "Manifest":
        """
        Raises:
            OSError: if the file cannot be read. ValueError: if it holds no JSON object, or one that no run writes.
        """
        if not path.is_file():  # reading a pipe would wait for ever
            raise FileNotFoundError(f"{path}: there is no such file")
        try:
            content = json.loads(CONTROL.sub("?", path.read_text(encoding="utf-8")))
        except RecursionError:
            raise ValueError("it is nested without limit") from None
        if not isinstance(content, dict):
            raise ValueError("it holds no JSON object")
        if wrong := [key for key, kind in KINDS.items() if not isinstance(content.get(key), kind | None)]:
            raise ValueError(f"its {wrong[0]} is of another kind")
        measured = {**(content.get("objective") or {}), "metric": None, "mode": None}, content.get("test") or {}
        if any(isinstance(one, (str, list, dict)) for results in measured for one in results.values()):
            raise ValueError("one of its results is no number")
        return cls(path, content)

    def __getitem__(self, key: str) -> Any:
        return self.content[key]

    def get(self, key: str) -> Any:
        return self.content.get(key)

    def update(self, **changes: Any) -> None:
        """Set keys and write the file; a dictionary is merged into the key's present one, or replaces `data` or `test`.

        The file is read again first, so that changes by other processes of the run are kept.
        """
        if self.path.exists():
            self.content = Manifest.read(self.path).content
        for key, value in changes.items():
            old = {} if key in ("data", "test") else self.content.get(key)
            self.content[key] = {**old, **value} if isinstance(old, dict) and isinstance(value, dict) else value
        write_atomically(self.path, json.dumps(self.content, indent=2, ensure_ascii=False) + "\n")


def untrained(config: dict[str, Any]) -> dict[str, Any]:
    """The entries of a run that has not trained yet: what it will measure, and no result."""
    return {
        "source": config["data"].get("source", "real"),
        "objective": {
            "metric": config["task"]["metric"],
            "mode": config["task"]["mode"],
            **dict.fromkeys(("best", "best_epoch", *GAPS)),
        },
        "counts": "steps" if config["trainer"]["check_val_every_n_epoch"] is None else "epochs",
        "test": {},
        **UNENDED,
        "parameters": None,
        "epochs": 0,
        "steps": 0,
        "seconds": {"setup": 0.0, "fit": 0.0, "test": 0.0},
        **dict.fromkeys(("steps_per_second", "peak_memory_mb", "device", "threads", "processes")),
        **dict.fromkeys(("precision", "precision_reason")),
    }


def write_atomically(path: Path, content: str | bytes) -> None:
    """Write a temporary file and rename it: a reader finds the old or the new file, never a part."""
    descriptor, part = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".part")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content if isinstance(content, bytes) else content.encode())
        os.chmod(part, 0o644)
        os.replace(part, path)
    except BaseException:
        Path(part).unlink(missing_ok=True)
        raise
