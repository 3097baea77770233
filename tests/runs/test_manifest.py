"""run.json is whole at every moment."""

import json
import os
from contextlib import suppress
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from atelier.errors import InputError
from atelier.runs.folder import RunFolder
from atelier.runs.interrupt import Interrupted
from atelier.runs.manifest import Manifest, write_atomically
from atelier.runs.run import Run


@pytest.fixture
def manifest(tmp_path: Path) -> Manifest:
    manifest = Manifest(tmp_path / "run.json", {})
    manifest.update(status="running", objective={"metric": "val/loss", "best": None}, experiment="Übung")
    return manifest


def test_every_update_is_on_disk(manifest: Manifest) -> None:
    manifest.update(status="completed")
    assert json.loads(manifest.path.read_text())["status"] == "completed"


def test_an_update_leaves_other_keys(manifest: Manifest) -> None:
    manifest.update(status="completed")
    assert manifest["experiment"] == "Übung"


def test_a_dictionary_is_merged_into_the_one_that_is_there(manifest: Manifest) -> None:
    manifest.update(objective={"best": 0.5})
    assert manifest["objective"] == {"metric": "val/loss", "best": 0.5}


@pytest.mark.parametrize("key", ["data", "test"])
def test_a_new_description_or_test_takes_the_place_of_the_old(manifest: Manifest, key: str) -> None:
    manifest.update(**{key: {"loss": 0.5, "accuracy/boot": 0.1}})
    manifest.update(**{key: {"loss": 0.4}})
    assert manifest[key] == {"loss": 0.4}


def test_a_value_may_replace_nothing_and_nothing_a_value(manifest: Manifest) -> None:
    manifest.update(error={"type": "ValueError"})
    manifest.update(error=None)
    assert Manifest.read(manifest.path)["error"] is None


def test_what_is_read_is_what_was_written(manifest: Manifest) -> None:
    assert Manifest.read(manifest.path).content == manifest.content


@pytest.mark.parametrize(
    ("strange", "told"),
    [
        *[({key: 7}, f"its {key} is of another kind") for key in ("overrides", "resumed", "git", "changes", "search")],
        ({"objective": 5}, "its objective is of another kind"),
        ({"seed": "0"}, "its seed is of another kind"),
        ({"versions": "2.15"}, "its versions is of another kind"),
        ({"objective": {"metric": "val/loss", "best": "0.5"}}, "no number"),
        ({"test": {"loss": [0.5]}}, "no number"),
    ],
)
def test_what_no_run_writes_is_refused(manifest: Manifest, strange: dict[str, object], told: str) -> None:
    manifest.path.write_text(json.dumps({**manifest.content, **strange}))
    with pytest.raises(ValueError, match=told):
        Manifest.read(manifest.path)


def test_a_run_without_results_is_none_of_these(manifest: Manifest) -> None:
    nothing = {"overrides": None, "objective": None, "test": {"loss": None, "accuracy": float("nan")}}
    manifest.path.write_text(json.dumps({**manifest.content, **nothing}))
    assert Manifest.read(manifest.path)["overrides"] is None


def test_others_may_read_the_file(manifest: Manifest) -> None:
    assert manifest.path.stat().st_mode & 0o777 == 0o644


def test_a_reader_never_sees_a_part(manifest: Manifest, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []
    replace = os.replace

    def watched(part: str, path: Path) -> None:
        seen.extend(json.loads(Path(file).read_text())["status"] for file in (path, part))
        replace(part, path)

    monkeypatch.setattr(os, "replace", watched)
    manifest.update(status="completed")
    assert seen == ["running", "completed"]


def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(
    manifest: Manifest, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(part: str, path: Path) -> None:
        raise OSError("no space left")

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(OSError, match="no space left"):
        manifest.update(status="completed")
    assert Manifest.read(manifest.path)["status"] == "running"
    assert list(manifest.path.parent.iterdir()) == [manifest.path]


def test_writing_replaces_the_text(tmp_path: Path) -> None:
    file = tmp_path / "a.txt"
    write_atomically(file, "long text\n")
    write_atomically(file, "ü\n")
    assert file.read_text(encoding="utf-8") == "ü\n"


@pytest.mark.parametrize("error", [ValueError("of its settings"), Interrupted(15)])
def test_a_run_that_has_not_begun_to_go_on_is_left_as_it_was(manifest: Manifest, error: Exception) -> None:
    manifest.update(status="completed", error=None)
    before, folder = manifest.path.read_bytes(), RunFolder(manifest.path.parent)
    run: Any = SimpleNamespace(folder=folder, manifest=manifest, begun=False, main=True, trainer=None)
    run.stop = SimpleNamespace(received=0)
    run.exit_status, run.record_failure = partial(Run.exit_status, run), partial(Run.record_failure, run)
    with suppress(SystemExit):
        Run.end(run, error)
    assert manifest.path.read_bytes() == before


@pytest.mark.parametrize(
    ("error", "signal_number", "status"),
    [
        *((None, 0, 0), (ValueError(), 0, 1), (InputError(), 0, 2), (Interrupted(15), 15, 143)),
        *((KeyboardInterrupt(), 0, 130), (SystemExit(1), 2, 130), (SystemExit(1), 0, 1)),
    ],
    ids=repr,
)
def test_the_exit_status_tells_how_a_run_ended(error: Any, signal_number: int, status: int) -> None:
    run: Any = SimpleNamespace(stop=SimpleNamespace(received=signal_number))
    assert Run.exit_status(run, error) == status


def test_of_several_processes_that_end_the_first_error_is_kept(manifest: Manifest) -> None:
    """Others are stopped for it, or fail because of it."""
    run: Any = SimpleNamespace(folder=RunFolder(manifest.path.parent), manifest=manifest, begun=True, main=True)
    run.trainer, run.exit_status, run.tests_alone = None, lambda error: error.exit_status, False
    for error in (ValueError("first"), OSError("connection closed")):
        Run.record_failure(run, error)
    with pytest.raises(SystemExit):
        Run.end(run, Interrupted(15))
    found = Manifest.read(manifest.path)
    assert (found["status"], found["error"]) == ("failed", {"type": "ValueError", "message": "first"})
