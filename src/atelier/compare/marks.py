"""Tags and notes on runs, which anyone may change after a run; they are no part of its setting."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from atelier.errors import InputError
from atelier.project import command
from atelier.runs.folder import claimed, find
from atelier.runs.manifest import Manifest
from atelier.runs.trust import check_files


def mark(run: str, tags: Sequence[str] | None, note: str | None, logs: Path) -> None:
    """Set the tags and the note in a run's run.json; None leaves them as they are. `latest` stays the run it was.

    Args:
        run: the run's folder, or latest.

    Raises:
        InputError: if there is no such run, it is not finished, or neither tags nor note are given.
    """
    if tags is None and note is None:
        raise InputError(f"run={run}: give tags=[…] or note='…' to set; {command('report')} sweep={run} reports it")
    folder = find(run, logs)
    check_files(folder.path)
    if claimed(folder.path):
        raise InputError(f"run={folder.path}: it is running; mark it when it has ended")
    manifest = Manifest.read(folder.manifest)
    changed = folder.manifest.stat()
    manifest.update(**({} if tags is None else {"tags": list(tags)}), **({} if note is None else {"note": note}))
    os.utime(folder.manifest, ns=(changed.st_atime_ns, changed.st_mtime_ns))  # the time by which `latest` is found
    print(f"{folder.path}: tags {listed(manifest.get('tags')) or '–'}, note {manifest.get('note') or '–'}")


def listed(tags: Any) -> str:
    """The tags as text; those of a stranger's run.json may be anything."""
    return ", ".join(map(str, tags)) if isinstance(tags, list) else str(tags or "")
