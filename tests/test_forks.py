"""What docs/own_project.md says of a fork's deletions: its commands work, and it names all files that miss a part."""

import re
import shutil
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "docs" / "own_project.md").read_text("utf-8").partition("## What a fork may delete")[2]
RECORD, *PARTS = re.findall(r"```bash\n(.*?)```", TEXT, re.DOTALL)


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """The files of the project, empty."""
    for name in ("conf", "docs", "src", "tests"):
        shutil.copytree(ROOT / name, tmp_path / name, copy_function=lambda _, to: Path(to).touch())
    return tmp_path


@cache
def imports() -> dict[str, set[str]]:
    """The files of the project that each of its programs imports."""
    files = [file for folder in ("docs", "src", "tests") for file in (ROOT / folder).rglob("*.py")]
    return {str(file.relative_to(ROOT)): set(imported(file)) for file in files}


def imported(file: Path) -> Iterator[str]:
    """Those of `src/` and, of tests/bench, those beside it."""
    text = file.read_text("utf-8")
    names = re.findall(r"^ *(?:from|import) ([\w.]+)", text, re.MULTILINE)
    for package, several in re.findall(r"^ *from (atelier[\w.]*) import (\([^)]*|.*)", text, re.MULTILINE):
        names += [f"{package}.{name}" for name in re.findall(r"\w+", several)]
    for name in names:
        place = ROOT / ("src" if "." in name else "tests/bench")
        if (found := place / f"{name.replace('.', '/')}.py").is_file():
            yield str(found.relative_to(ROOT))


def missing(clone: Path) -> set[str]:
    """The files that import what is not there."""
    there = {one: found for one, found in imports().items() if (clone / one).exists()}
    return {one for one, found in there.items() if not all((clone / module).exists() for module in found)}


def delete(clone: Path, commands: str) -> None:
    subprocess.run(["bash", "-ec", commands], cwd=clone, check=True)


@pytest.mark.parametrize("part", range(len(PARTS)))
def test_a_part_is_deleted_as_the_page_says_and_nothing_of_the_project_misses_it(clone: Path, part: int) -> None:
    delete(clone, RECORD)
    assert missing(clone) == set()
    delete(clone, PARTS[part])
    assert {file for file in missing(clone) if not file.startswith("tests/")} == set()


def test_the_page_names_each_test_that_misses_a_part(clone: Path) -> None:
    for commands in (RECORD, *PARTS):
        delete(clone, commands)
    told = re.search(r"Those\s+that import one(.*?)`GIVEN`", TEXT, re.DOTALL)
    assert told
    assert missing(clone) == set(re.findall(r"`(tests/[\w/]+\.py)`", told[1]))
