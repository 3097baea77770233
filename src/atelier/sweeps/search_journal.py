"""The file in a sweep's folder that holds its search: what was drawn, reported and told, line after line.

Several processes, on several machines, may write to it; a lock beside it keeps them apart. Optuna breaks the lock of a
process that was killed after half a minute.
"""

import os
from pathlib import Path

import optuna
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend, JournalFileSymlinkLock

JOURNAL = "search.journal"
STUDY = "search"  # name of the one study in it

optuna.logging.set_verbosity(optuna.logging.WARNING)


def open_journal(folder: Path) -> JournalStorage:
    return JournalStorage(JournalFileBackend(str(folder / JOURNAL)))


def mend(folder: Path) -> None:
    """Cut off a last line that a killed process left unfinished: what is appended to it could not be read."""
    path = folder / JOURNAL
    if not path.exists():
        return
    lock = JournalFileSymlinkLock(str(path))
    lock.acquire()  # jobs of the search may still be running elsewhere
    try:
        os.truncate(path, path.read_bytes().rfind(b"\n") + 1)
    finally:
        lock.release()
