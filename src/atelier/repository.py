"""The code of a run: the commit of the project's repository, and the change that is not committed."""

import hashlib
import os
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

LONGEST = 2**20  # bytes of a change that are kept
MOST = 1000  # untracked files that are looked at
PATIENCE = 10.0  # seconds for a git command
NEW = ("src", "conf")  # folders whose untracked files belong to the code
PLAIN = ("--no-ext-diff", "--no-textconv", "--no-color", "--no-renames", "--full-index", "--relative")


def recorded(root: Path, folder: Path, before: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """The entry `git` of run.json: {commit, dirty, change}; the change itself is written into the run folder.

    Args:
        root: the project's folder.
        folder: the run folder; the change is written into change.diff, which nothing reads.
        before: for a resumed run, its entry. It stays; if the code is another, `resumed` lists its entry, too, and its
            change is written into change-2.diff, and so on.

    Returns:
        `change` is the fingerprint of the change, None without one. All are None if git does not know the project.
    """
    now, text = code(root)
    known = entries(before or {})
    if before and words(now) in map(words, known):
        return dict(before)
    if text:
        name = f"change-{len(known) + 1}.diff" if known else "change.diff"
        (folder / name).write_text(text, encoding="utf-8", newline="\n")
    return {**before, "resumed": [*known[1:], now]} if before else now


def versions(entry: Mapping[str, Any]) -> list[str]:
    """The known versions of the code that a run began and was resumed with, of its entry `git`."""
    return [version for one in entries(entry) if (version := words(one))]


def entries(entry: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The entry `git` of a run, which may be a stranger's, and the further ones in it; [] if it is empty."""
    resumed = entry.get("resumed")
    more = [one for one in resumed if isinstance(one, dict)] if isinstance(resumed, list) else []
    return [entry, *more] if entry else []


def words(entry: Mapping[str, Any]) -> str:
    """The version of the code, of an entry `git`; "" if it is not known.

    >>> words({"commit": "0123456789", "dirty": True, "change": "89abcdef0123"}), words({"commit": "0123456789"})
    ('0123456 + change 89abcde', '0123456')
    """
    change = entry.get("change") or ("unknown" if entry.get("dirty") and "change" not in entry else "")
    return str(entry.get("commit") or "")[:7] + f" + change {str(change)[:7]}" * bool(change)


def code(root: Path) -> tuple[dict[str, Any], str]:
    """{commit, dirty, change} of the project in `root`, and its change as text; "" if there is none."""
    try:
        commit = printed(root, "rev-parse", "HEAD", "HEAD:./")  # the second fails if another project's git ignores this
        status = printed(root, "status", "--porcelain", "-z", "--", ".")
    except (OSError, subprocess.SubprocessError):
        return {"commit": None, "dirty": None, "change": None}, ""
    try:
        change, text = change_of(root, untracked=b"?? " in status) if status else (None, "")
    except (OSError, subprocess.SubprocessError) as error:
        change, text = "unknown", f"The change could not be read: {error}\n"
    return {"commit": commit.decode().split()[0], "dirty": bool(status), "change": change}, text


def change_of(root: Path, untracked: bool) -> tuple[str | None, str]:
    """The fingerprint of the change that is not committed, and its text, cut at LONGEST; (None, "") if there is none.

    It is `git diff HEAD`, then the untracked files in NEW, each with the checksum of its content.
    """
    with git(root, "diff", "HEAD", *PLAIN, "--", ".") as diff:
        text = diff.read(LONGEST).decode(errors="replace")
        rest = os.fstat(diff.fileno()).st_size - diff.tell()
        diff.seek(0)
        fingerprint = hashlib.file_digest(diff, "sha256")  # type: ignore[arg-type]
    names = printed(root, "ls-files", "--others", "--exclude-standard", "-z", "--", *NEW) if untracked else b""
    files = [os.fsdecode(name) for name in names.split(b"\0")[:-1]]
    if not text and not files:
        return None, ""
    listed = "".join(f"{checksum(root / name)} {name!a}\n" for name in files[:MOST])
    fingerprint.update(f"{listed}{len(files)}".encode())
    cut = f"\nCut here: {rest:,} bytes more, which `git diff HEAD` printed.\n" if rest else ""
    more = f"and {len(files) - MOST:,} more\n" if len(files) > MOST else ""
    heading = "\nUntracked files, SHA-256 and name:\n" if files else ""
    return fingerprint.hexdigest()[:12], f"{text}{cut}{heading}{listed}{more}"


def checksum(file: Path) -> str:
    """The SHA-256 of a regular file, to twelve digits; of a file longer than LONGEST, its size; else "-"."""
    try:
        if file.is_symlink() or not file.is_file():  # reading a pipe would wait for ever
            return "-"
        if (size := file.stat().st_size) > LONGEST:
            return f"{size} bytes"
        with file.open("rb") as content:
            return hashlib.file_digest(content, "sha256").hexdigest()[:12]
    except OSError:
        return "-"


def printed(root: Path, *arguments: str) -> bytes:
    with git(root, *arguments) as output:
        return output.read()


@contextmanager
def git(root: Path, *arguments: str) -> Iterator[IO[bytes]]:
    """What a git command prints, in a temporary file: it may be longer than the memory.

    Raises:
        OSError, subprocess.SubprocessError: without git, if the command fails, or takes longer than PATIENCE.
    """
    environment = {**os.environ, "GIT_OPTIONAL_LOCKS": "0"}  # a command that the user gives meanwhile must not fail
    with tempfile.TemporaryFile() as output:
        subprocess.run(
            ["git", *arguments],
            cwd=root,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.DEVNULL,
            timeout=PATIENCE,
            check=True,
        )
        output.seek(0)
        yield output
