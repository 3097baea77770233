"""Run folders never collide, and are found again."""

import itertools
import os
import secrets
import socket
import time
from pathlib import Path

import pytest

from atelier.api.train import run_of
from atelier.compare.listing import print_listing
from atelier.errors import InputError
from atelier.runs.folder import RunFolder, attach, create, find, last_changed, named, read_yaml, write_yaml
from atelier.runs.manifest import Manifest
from atelier.sweeps.sweep import Sweep


def with_manifest(folder: RunFolder) -> RunFolder:
    folder.manifest.write_text("{}")
    return folder


def test_a_new_folder_lies_under_its_experiment(tmp_path: Path) -> None:
    folder = create(tmp_path, "clock_multihead")
    assert folder.path.parent == tmp_path / "runs" / "clock_multihead"
    assert folder.path.is_dir()
    assert folder.best.parent.is_dir()
    assert folder.figures.is_dir()


def test_folders_of_one_second_never_collide(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "strftime", lambda pattern: "2026-11-21_14-03-22-")
    assert len({create(tmp_path, "x").path for _ in range(20)}) == 20


def test_a_stamp_that_is_taken_is_drawn_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "strftime", lambda pattern: "2026-11-21_14-03-22-")
    draws = itertools.chain(["aaaa", "aaaa"], (f"{number:04x}" for number in itertools.count()))
    monkeypatch.setattr(secrets, "token_hex", lambda size: next(draws))
    first, second = create(tmp_path, "x"), create(tmp_path, "x")
    assert first.path != second.path


def test_a_given_path_that_exists_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "mine"
    path.mkdir()
    with pytest.raises(InputError, match=f"paths.run={path} .*resume={path}"):
        create(tmp_path, "x", path)
    assert list(path.iterdir()) == []


def test_a_given_path_is_made_with_its_parents(tmp_path: Path) -> None:
    assert create(tmp_path, "x", tmp_path / "a" / "b").path == tmp_path / "a" / "b"


@pytest.mark.parametrize("logs", ["file", "link", "."])
def test_a_place_that_cannot_be_written_is_named_with_the_setting(tmp_path: Path, logs: str) -> None:
    """A file, a link to a disk that is not there, or a folder with a file in the place of the experiment's folder."""
    (tmp_path / "file").touch()
    (tmp_path / "link").symlink_to("/nowhere/logs")
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs" / "x").touch()
    place = tmp_path / ("runs/x" if logs == "." else logs)
    with pytest.raises(InputError, match=rf"cannot write the run folder .*: {place}.* \(paths\.logs"):
        create(tmp_path / logs, "x")
    with pytest.raises(InputError, match=rf"cannot write .*: {place}.* \(paths\.logs"):
        Sweep.create(tmp_path / logs / "runs" / "x" / "1", [])


def test_a_folder_without_a_manifest_is_no_run(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=f"{tmp_path} is no run folder"):
        attach(tmp_path)


def test_a_run_is_found_by_its_folder(tmp_path: Path) -> None:
    folder = with_manifest(create(tmp_path, "x"))
    assert find(str(folder.path), tmp_path) == folder


def test_the_latest_run_is_the_one_whose_manifest_changed_last(tmp_path: Path) -> None:
    older, newer, oldest = (with_manifest(create(tmp_path, name)) for name in "abc")
    for folder, age in ((oldest, 30), (older, 20), (newer, 10)):
        os.utime(folder.manifest, (1e9 - age, 1e9 - age))
    assert find("latest", tmp_path) == newer


def test_runs_of_experiments_in_subfolders_are_found_too(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """conf/experiment/mine/deep/mlp.yaml has its runs in logs/runs/mine/deep/mlp/."""
    newer = with_manifest(create(tmp_path, "mine/deep/mlp"))
    print_listing(tmp_path, 10)
    assert "There is no run" not in capsys.readouterr().out
    older = with_manifest(create(tmp_path, "flat"))
    os.utime(older.manifest, (1e9, 1e9))
    (newer.figures / "run.json").write_text("{}")  # a run holds no other
    assert last_changed(tmp_path / "runs", "run.json") == [older.manifest, newer.manifest]
    assert find("latest", tmp_path) == newer
    Manifest(newer.manifest, {}).update(pid=7, host=socket.gethostname())
    monkeypatch.setattr("atelier.api.train.load", lambda folder: folder)
    assert run_of(7, (f"paths.logs={tmp_path}",)) == newer.path


def test_sweeps_of_experiments_in_subfolders_are_found_too(tmp_path: Path) -> None:
    older, newer = (tmp_path / "sweeps" / name / "1" for name in ("flat", "mine/mlp"))
    for folder in (older, newer):
        Sweep.create(folder, [])
    os.utime(older / "sweep.json", (1e9, 1e9))
    assert named("latest", tmp_path, "sweep") == newer


def test_without_any_run_there_is_no_latest(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no run"):
        find("latest", tmp_path)


def test_the_best_checkpoint_falls_back_to_the_last(tmp_path: Path) -> None:
    folder = create(tmp_path, "x")
    folder.last.touch()
    assert folder.checkpoint("best") == folder.last
    folder.best.touch()
    assert folder.checkpoint("best") == folder.best
    assert folder.checkpoint("last") == folder.last


def test_any_file_can_be_the_checkpoint(tmp_path: Path) -> None:
    file = tmp_path / "other.ckpt"
    file.touch()
    assert create(tmp_path, "x").checkpoint(str(file)) == file


@pytest.mark.parametrize("name", ["best", "last", "nowhere.ckpt"])
def test_no_checkpoint_is_an_error(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError, match=r"checkpoint=.*there is no file"):
        create(tmp_path, "x").checkpoint(name)


def test_a_key_of_a_file_is_read_alone_as_with_all_others(tmp_path: Path) -> None:
    content = {
        "seed": 0,
        "list": ["a", ["b"], {"c": None}],
        "text": "two lines\n\nlist:\n- and: a blank line",
        "long": "word " * 60,
        "nothing": None,
        "listed": {"list": {"seed": 1}, "text": "\n"},
        "é.ü": True,
    }
    write_yaml(tmp_path / "a.yaml", content)
    for key, value in content.items():
        assert read_yaml(tmp_path / "a.yaml", key) == {key: value}
    assert read_yaml(tmp_path / "a.yaml", "other") is None
    assert read_yaml(tmp_path / "a.yaml", "lis.*") is None
