"""What run.json says of the code that is not committed, and the change itself in the run folder."""

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from atelier import repository
from atelier.repository import code, recorded, versions

Commit = Callable[..., str]


@pytest.fixture(autouse=True)
def _a_known_author(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for role in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{role}_NAME", "a")
        monkeypatch.setenv(f"GIT_{role}_EMAIL", "a@b.c")
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))


def git(root: Path, *arguments: str) -> str:
    return subprocess.run(["git", *arguments], cwd=root, capture_output=True, text=True, check=True).stdout.strip()


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A project with a commit and nothing changed."""
    root = tmp_path / "project"
    (root / "src").mkdir(parents=True)
    (root / "src" / "a.py").write_text("one = 1\n")
    (root / ".gitignore").write_text("data/\nconf/local/\n")
    git(root, "init", "--quiet")
    git(root, "add", ".")
    git(root, "commit", "--quiet", "-m", "first")
    return root


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "run").mkdir()
    return tmp_path / "run"


def test_without_a_change_there_is_no_file(root: Path, folder: Path) -> None:
    assert recorded(root, folder) == {"commit": git(root, "rev-parse", "HEAD"), "dirty": False, "change": None}
    assert list(folder.iterdir()) == []


def test_a_change_is_kept_and_can_be_applied_by_hand(root: Path, folder: Path) -> None:
    (root / "src" / "a.py").write_text("one = 2\n")
    changed = recorded(root, folder)
    assert changed["dirty"]
    git(root, "checkout", "--quiet", "src/a.py")
    git(root, "apply", str(folder / "change.diff"))
    assert (root / "src" / "a.py").read_text() == "one = 2\n"
    assert code(root)[0] == changed, "the same change has the same fingerprint"


@pytest.mark.parametrize(
    ("file", "content", "told"),
    [
        ("src/a.py", b"one = 3\n", "+one = 3"),
        ("src/a.py", b"\x00\xff", "Binary files"),
        ("src/new.py", b"new = 1\n", "'src/new.py'"),
        ("conf/Übung 'ä\n'.yaml", b"x: 1\n", ascii("conf/Übung 'ä\n'.yaml")),
        (os.fsdecode(b"src/\xff.py"), b"x = 1\n", "'src/\\udcff.py'"),
        ("src/large.npy", b"0" * (repository.LONGEST + 1), "1048577 bytes 'src/large.npy'"),
    ],
    ids=["text", "binary", "untracked", "odd characters", "no UTF-8", "large"],
)
def test_every_change_has_a_fingerprint_of_its_content(
    root: Path, folder: Path, file: str, content: bytes, told: str
) -> None:
    (root / file).parent.mkdir(exist_ok=True)
    (root / file).write_bytes(content)
    first = recorded(root, folder)
    assert told in (folder / "change.diff").read_text(encoding="utf-8")
    (root / file).write_bytes(content + b"1")
    assert len({None, first["change"], code(root)[0]["change"]}) == 3


@pytest.mark.parametrize("file", ["notes.txt", "data/mnist.npy", "conf/local/trainer.yaml"])
def test_what_is_no_code_is_no_change(root: Path, folder: Path, file: str) -> None:
    (root / file).parent.mkdir(exist_ok=True, parents=True)
    (root / file).write_text("x: 1\n")
    assert recorded(root, folder)["change"] is None
    assert list(folder.iterdir()) == []


def test_no_pipe_link_or_unreadable_file_stops_a_run(root: Path, folder: Path) -> None:
    os.mkfifo(root / "src" / "pipe")
    (root / "src" / "link").symlink_to("/dev/zero")
    (root / "src" / "nowhere").symlink_to("nowhere")
    recorded(root, folder)
    listed = (folder / "change.diff").read_text().splitlines()
    assert {"- 'src/link'", "- 'src/nowhere'"} <= set(listed)


def test_a_long_change_is_cut_and_its_fingerprint_is_of_the_whole(
    root: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(repository, "LONGEST", 500)
    monkeypatch.setattr(repository, "MOST", 2)
    for name in "bcd":
        (root / "src" / f"{name}.py").write_text("")
    (root / "src" / "a.py").write_text("ä\n" * 1000 + "one = 1\n")
    first = recorded(root, folder)
    text = (folder / "change.diff").read_text(encoding="utf-8")
    assert "bytes more, which `git diff HEAD` printed" in text
    assert "and 1 more" in text
    assert len(text) < 1000
    (root / "src" / "a.py").write_text("ä\n" * 1000 + "one = 2\n")
    assert recorded(root, folder)["change"] != first["change"]


# ---------------------------------------------------------------------- no repository, or another's


def test_without_git_or_a_repository_nothing_is_known(
    root: Path, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    nothing = {"commit": None, "dirty": None, "change": None}
    assert recorded(tmp_path / "run", folder) == nothing
    git(folder, "init", "--quiet")
    assert recorded(folder, folder) == nothing, "a repository without a commit"
    monkeypatch.setenv("PATH", "")
    assert recorded(root, folder) == nothing
    assert versions(nothing) == []


def test_a_project_inside_another_repository_has_its_own_change_alone(root: Path, folder: Path) -> None:
    (root / "fork" / "src").mkdir(parents=True)
    (root / "fork" / "src" / "b.py").write_text("two = 2\n")
    assert recorded(root / "fork", folder)["commit"] is None, "the other repository does not know it"
    git(root, "add", ".")
    git(root, "commit", "--quiet", "-m", "second")
    (root / "src" / "a.py").write_text("one = 2\n")
    assert recorded(root / "fork", folder) == {"commit": git(root, "rev-parse", "HEAD"), "dirty": False, "change": None}
    (root / "fork" / "src" / "b.py").write_text("two = 3\n")
    recorded(root / "fork", folder)
    text = (folder / "change.diff").read_text()
    assert "+two = 3" in text
    assert "one" not in text


@pytest.mark.parametrize("hanging", ["rev-parse", "status", "diff"])
def test_a_git_that_hangs_or_fails_does_not_hold_a_run_up(
    root: Path, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, hanging: str
) -> None:
    (root / "src" / "a.py").write_text("one = 2\n")
    script = tmp_path / "git"
    real = subprocess.run(["which", "git"], capture_output=True, text=True, check=True).stdout.strip()
    script.write_text(f'#!/bin/sh\n[ "$1" = {hanging} ] && exec sleep 600\nexec {real} "$@"\n')
    script.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setattr(repository, "PATIENCE", 0.5)
    found = recorded(root, folder)
    if hanging == "diff":
        assert (found["dirty"], found["change"]) == (True, "unknown")
        assert "could not be read" in (folder / "change.diff").read_text()
    else:
        assert found["commit"] is None


# ---------------------------------------------------------------------- resumed runs


def test_a_resumed_run_keeps_its_first_change_and_each_other_one(root: Path, folder: Path) -> None:
    (root / "src" / "a.py").write_text("one = 2\n")
    first = recorded(root, folder)
    assert recorded(root, folder, first) == first
    (root / "src" / "a.py").write_text("one = 3\n")
    second = recorded(root, folder, first)
    assert second | {"resumed": None} == first | {"resumed": None}
    git(root, "commit", "--quiet", "-am", "second")
    third = recorded(root, folder, second)
    assert recorded(root, folder, third) == third
    assert {file.name: "+one = 2" in file.read_text() for file in folder.iterdir()} == {
        "change.diff": True,
        "change-2.diff": False,
    }
    commit = git(root, "rev-parse", "HEAD")[:7]
    changes = [first["change"][:7], second["resumed"][0]["change"][:7]]
    assert versions(third) == [*(f"{first['commit'][:7]} + change {change}" for change in changes), commit]


@pytest.mark.parametrize(
    ("before", "known"),
    [
        ({"commit": "0" * 40, "dirty": True}, ["0000000 + change unknown"]),  # of an earlier version
        ({"commit": "0" * 40, "dirty": False}, ["0000000"]),
        ({}, []),
        ({"commit": 5, "change": [1], "resumed": "nonsense"}, ["5 + change [1]"]),  # a stranger's
        ({"commit": None, "resumed": [3, None]}, []),
    ],
    ids=str,
)
def test_a_run_of_another_version_or_a_stranger_can_be_resumed(
    root: Path, folder: Path, before: dict, known: list[str]
) -> None:
    assert versions(before) == known
    assert versions(recorded(root, folder, before))[-1] == git(root, "rev-parse", "HEAD")[:7]
