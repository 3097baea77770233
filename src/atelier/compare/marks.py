"""Tags and notes on runs, which anyone may change after a run; they are no part of its setting."""

from collections.abc import Sequence
from pathlib import Path

from atelier.errors import InputError
from atelier.runs.folder import claimed, find
from atelier.runs.manifest import Manifest
from atelier.runs.trust import check_files


def mark(run: str, tags: Sequence[str] | None, note: str | None, logs: Path) -> None:
    """Set the tags and the note in a run's run.json; None leaves them as they are.

    Args:
        run: the run's folder, or latest.

    Raises:
        InputError: if there is no such run, it is not finished, or neither tags nor note are given.
    """
    if tags is None and note is None:
        raise InputError(f"run={run}: give tags=[…] or note='…' to set; python src/report.py sweep={run} reports it")
    folder = find(run, logs)
    check_files(folder.path)
    if claimed(folder.path):
        raise InputError(f"run={folder.path}: it is running; mark it when it has ended")
    manifest = Manifest.read(folder.manifest)
    manifest.update(**({} if tags is None else {"tags": list(tags)}), **({} if note is None else {"note": note}))
    print(f"{folder.path}: tags {', '.join(manifest.get('tags') or []) or '–'}, note {manifest.get('note') or '–'}")
