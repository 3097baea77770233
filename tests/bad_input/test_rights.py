"""A file or folder that may not be read or written is told in a line, whichever verb needs it."""

import ctypes
import errno
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from atelier.compose.verb import about_settings
from atelier.runs.keeper import Keeper

Run = Callable[..., Any]
EARLIER = Path(__file__).parents[1] / "fixtures" / "earlier"
OVERRIDING = 0b110  # CAP_DAC_OVERRIDE and CAP_DAC_READ_SEARCH, by which root passes over a file's rights


def take_capabilities(mask: int) -> int:
    """Take these effective capabilities from this thread, or with a negative mask set them; return those before."""
    header, data = (ctypes.c_uint32 * 2)(0x20080522, 0), (ctypes.c_uint32 * 6)()
    libc = ctypes.CDLL(None, use_errno=True)
    assert libc.capget(header, data) == 0
    before = data[0]
    data[0] = before & ~mask if mask > 0 else -mask
    assert libc.capset(header, data) == 0, os.strerror(ctypes.get_errno())
    return before


@pytest.fixture
def forbidden() -> Iterator[Callable[[Path, int], None]]:
    """`forbidden(path, 0o555)`: the path has these rights, which hold for root as well."""
    changed: list[tuple[Path, int]] = []
    before = take_capabilities(OVERRIDING) if os.geteuid() == 0 else 0

    def forbid(path: Path, rights: int) -> None:
        changed.append((path, path.stat().st_mode))
        path.chmod(rights)

    yield forbid
    for path, rights in changed:
        path.chmod(rights)
    if before:
        take_capabilities(-before)


@pytest.fixture
def places(run_copy: Path, data_dir: Path, tmp_path: Path) -> dict[str, Path]:
    """A run, a sweep, a data cache, and folders for logs and reports, of one's own."""
    found = {"all": tmp_path, **{name: tmp_path / name for name in ("run", "sweep", "logs", "output", "data")}}
    for name in ("logs", "output", "data"):
        found[name].mkdir()
    shutil.copytree(EARLIER / "sweep", found["sweep"])
    found["cache"] = Path(shutil.copy(data_dir / "clocks_32px_2160_seed0.safetensors", found["data"]))
    return found


@pytest.mark.parametrize(
    ("verb", "overrides", "path", "rights"),
    [
        ("train", [], "{logs}", 0o555),
        ("train", [], "{data}", 0o000),
        ("train", [], "{cache}", 0o000),
        ("train", ["data.render_seed=1"], "{data}", 0o555),
        ("train", ["resume={run}"], "{run}", 0o555),
        ("train", ["resume={run}"], "{run}/run.json", 0o000),
        ("train", ["resume={run}", "trainer.max_epochs=9"], "{run}/checkpoints", 0o555),
        ("train", ["-m", "sweep.resume={sweep}"], "{sweep}", 0o555),
        ("train", ["-m", "sweep.resume={sweep}"], "{sweep}/sweep.json", 0o000),
        ("eval", ["run={run}"], "{run}", 0o000),
        ("eval", ["run={run}"], "{run}/checkpoints/best.ckpt", 0o000),
        ("eval", ["run={run}", "+callbacks=extremes"], "{run}", 0o555),
        ("predict", ["run={run}", "inputs={run}/figures"], "{run}", 0o555),
        ("report", ["sweep={sweep}"], "{sweep}", 0o555),
        ("report", ["sweep={sweep}"], "{sweep}", 0o000),
        ("report", ["sweep={all}"], "{all}/output", 0o000),
        ("report", ["sweep={sweep}", "output={output}"], "{output}", 0o555),
        ("report", [], "{logs}", 0o000),
    ],
    ids=str,
)
def test_what_may_not_be_read_or_written_is_told_in_a_line(
    told: Run,
    tiny: list[str],
    places: dict[str, Path],
    forbidden: Callable[[Path, int], None],
    verb: str,
    overrides: list[str],
    path: str,
    rights: int,
) -> None:
    where = Path(path.format(**places))
    forbidden(where, rights)
    new = tiny if verb == "train" and "resume" not in str(overrides) else []
    given = [*(one.format(**places) for one in overrides), *new]
    message = told(verb, *given, logs=places["logs"], environment={"DATA_DIR": str(places["data"])})
    assert str(where) in message
    assert "Permission denied" in message


def test_a_report_tells_a_run_that_may_not_be_read_and_shows_the_others(
    run_verb: Run, places: dict[str, Path], forbidden: Callable[[Path, int], None]
) -> None:
    forbidden(places["sweep"] / "0" / "run.json", 0o000)
    outcome = run_verb("report", "sweep={sweep}".format(**places), "output={output}".format(**places))
    assert outcome.code == 0, outcome.err
    assert "Permission denied" in (places["output"] / "report.html").read_text()


@pytest.mark.parametrize(
    ("name", "expected"),
    [("/gone/file", True), (b"/gone/file", True), ("/file", False), ("file", False), (None, False)],
)
def test_a_missing_file_has_a_traceback_unless_its_folder_is_missing(name: str | bytes | None, expected: bool) -> None:
    assert about_settings(FileNotFoundError(errno.ENOENT, "no such file", name)) is expected


def test_a_run_folder_that_vanishes_is_told(
    run_verb: Run, tiny: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, trained: Any
) -> None:
    monkeypatch.setattr(Keeper, "on_train_epoch_start", lambda *args: shutil.rmtree(tmp_path / "run"))
    outcome = run_verb("train", *tiny, "callbacks=none", f"paths.run={tmp_path / 'run'}")
    assert outcome.code == 2
    assert "Traceback" not in outcome.err
    assert f"{tmp_path / 'run'}/" in outcome.err.splitlines()[-1]
    assert not (tmp_path / "run").exists()
