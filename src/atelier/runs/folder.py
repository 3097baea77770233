"""The run folder: its paths, and functions that create, lock and find run folders."""

import fcntl
import os
import re
import secrets
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TextIO

import yaml

from atelier.errors import InputError, unread
from atelier.project import command
from atelier.runs.manifest import Manifest, write_atomically
from atelier.runs.overrides import typed
from atelier.runs.trust import check_files

LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # libyaml reads a configuration in 3 ms instead of 30 ms


@dataclass
class RunFolder:
    """The paths inside a run folder, `logs/runs/<experiment>/<stamp>/`."""

    path: Path

    def __post_init__(self) -> None:
        self.config, self.overrides = self.path / "config.yaml", self.path / "overrides.yaml"
        self.manifest, self.metrics = self.path / "run.json", self.path / "metrics.csv"
        self.log, self.figures = self.path / "run.log", self.path / "figures"
        self.best, self.last = self.path / "checkpoints" / "best.ckpt", self.path / "checkpoints" / "last.ckpt"

    def named(self, name: str) -> Path:
        """The path of the checkpoint `best` (else `last`), `last` or another, whether or not it exists."""
        return {"best": self.best if self.best.exists() else self.last, "last": self.last}.get(name, Path(name))

    def checkpoint(self, name: str) -> Path:
        """The path of a checkpoint, see `named`; an InputError if there is no such file."""
        path = self.named(name)
        if name == "best" and not path.exists():
            told = f"nor last.ckpt: the run stopped before its first; {elsewhere()}"
            raise InputError(f"checkpoint=best: there is no file {self.best}, {told}")
        if not path.is_file():
            raise InputError(f"checkpoint={name}: there is no file {path}")
        return path


def create(logs: Path, experiment: str, path: Path | None = None) -> RunFolder:
    """Create a run folder: `path`, or `logs/runs/<experiment>/<stamp>` with a new stamp.

    Raises:
        InputError: if `path` exists already, or the folder cannot be written.
    """
    folder = RunFolder(path or logs / "runs" / experiment / stamp())
    try:
        folder.path.parent.mkdir(parents=True, exist_ok=True)
        redirected = folder.path.is_dir() and [path.name for path in folder.path.iterdir()] == [folder.log.name]
        if not redirected:  # by a launcher, the job's output into run.log
            folder.path.mkdir(exist_ok=False)
        folder.best.parent.mkdir(exist_ok=False)  # only one of several processes can create it
        folder.figures.mkdir()
    except OSError as error:
        if not (isinstance(error, FileExistsError) and folder.path.exists()):  # as below a link to nowhere
            place = f"{folder.path}: {error.strerror}: {error.filename}"
            raise InputError(f"cannot write the run folder {place} (paths.logs, LOG_DIR)") from error
        if path is None:
            return create(logs, experiment)  # another run drew the same stamp
        raise InputError(f"paths.run={path} exists already; {typed('resume', path)} goes on with it") from None
    return folder


def claim(path: Path) -> TextIO:
    """Lock the folder of a run or a sweep, so that no second process writes into it; remove what a killed one left.

    The lock is released when the returned file is closed, or when this process ends.

    Raises:
        InputError: if another process holds the lock, or the folder holds links.
    """
    check_files(path)
    lock = (path / ".lock").open("a")
    for _ in range(10):  # `claimed` holds the lock for a moment
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            for part in path.glob(".*.part"):  # of `write_atomically`
                part.unlink(missing_ok=True)
            return lock
        except BlockingIOError:
            time.sleep(0.02)
        except OSError as error:
            lock.close()
            told = f"{path}: its file system has no locks ({error.strerror}); set LOG_DIR to a folder on one that has"
            raise InputError(told) from error
    lock.close()
    raise InputError(f"{path} is being written by another process")


def claimed(path: Path) -> bool:
    """Whether a process, on any machine that mounts the file system, holds the lock of a run or a sweep."""
    if not (path / ".lock").is_file():
        return False
    with (path / ".lock").open() as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except OSError as error:  # a file system without locks has none
            return isinstance(error, BlockingIOError)
    return False


def stamp() -> str:
    """A name for a new folder: the time, and four random hexadecimal digits."""
    return time.strftime("%Y-%m-%d_%H-%M-%S-") + secrets.token_hex(2)


def attach(path: Path) -> RunFolder:
    """An existing run folder; an InputError if it has no readable run.json."""
    folder = RunFolder(path)
    if not folder.manifest.is_file():
        remedy = "; resume= also takes its checkpoints/last.ckpt, and checkpoint= any other" * (path.suffix == ".ckpt")
        raise InputError(f"{path} is no run folder: it has no run.json{remedy or f'; {elsewhere()}'}")
    try:
        Manifest.read(folder.manifest)
    except ValueError as error:
        raise InputError(f"{folder.manifest} is damaged: {error}") from error
    return folder


def holding(folder: Path, *names: str, unreadable: Callable[[OSError], None] | None = None) -> Iterator[Path]:
    """`folder` and the folders below it, by name, that hold one of the files, but for those below such a folder."""
    for place, inner, files in os.walk(folder, onerror=unreadable):
        inner.sort()
        if not set(names).isdisjoint(files):
            yield Path(place)
            inner.clear()


def last_changed(folder: Path, name: str) -> list[Path]:
    """The files run.json or sweep.json at any depth below a folder: experiment=mine/mlp has two. The newest is last."""
    places = holding(folder, name) if folder.is_dir() else ()  # is_dir tells a folder that may not be read
    return sorted((place / name for place in places), key=os.path.getmtime)


def find(where: str, logs: Path) -> RunFolder:
    """The run folder that a user names by its path, or by `latest`."""
    return attach(named(where, logs, "run"))


def named(where: str, logs: Path, kind: Literal["run", "sweep"]) -> Path:
    """The folder that a user names by its path, or by `latest`.

    Raises:
        InputError: if there is no run or sweep yet.
    """
    if where != "latest":
        return Path(where)
    place = logs / f"{kind}s"
    if not (manifests := last_changed(place, f"{kind}.json")):
        of_sweeps = "; a run of a sweep is named by its folder" * (kind == "run")
        raise InputError(f"there is no {kind} under {place} yet{of_sweeps}")
    return manifests[-1].parent


def elsewhere() -> str:
    """What to type in the place of a folder that is none."""
    return f"give a folder that {command('report')} lists, or latest"


def write_yaml(path: Path, content: object) -> None:
    write_atomically(path, yaml.safe_dump(content, sort_keys=False, allow_unicode=True))


def read_yaml(path: Path, only: str | None = None) -> Any:
    """The content of a YAML file of a run, which may be a stranger's.

    Args:
        only: read this key alone, in a tenth of the time; the file is a dictionary in block style, as `write_yaml`'s.

    Raises:
        InputError: if it is no regular file or no YAML, or has aliases, by which a short file expands without limit.
    """
    if not path.is_file():
        raise InputError(f"{path}: there is no such file")
    try:
        text = path.read_text(encoding="utf-8")
        if only is not None:
            block = re.search(rf"^{re.escape(only)}:.*(\n([ -].*)?)*", text, re.MULTILINE)
            text = block.group() if block else ""
        if "*" in text and any(isinstance(token, yaml.AliasToken) for token in yaml.scan(text, LOADER)):
            raise InputError(f"{path} has aliases, as no file of a run has, so it is not read")
        return yaml.load(text, LOADER)
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError) as error:
        raise InputError(f"{path} cannot be read: {unread(error)}") from error


def last_two(path: Path) -> str:
    """The short name of a run's or sweep's folder: `<study or experiment>/<stamp>`."""
    return f"{path.parent.name}/{path.name}"
