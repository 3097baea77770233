"""docs/gallery.md: each picture is there, small, and under the commands that make it; and `make gallery`."""

import re
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "gallery.md"
GALLERY = runpy.run_path(str(ROOT / "docs" / "gallery.py"))
BLOCK = r"^```bash\n(.*?)^```$(.*?)(?=^```|\Z)"
PICTURE = r"^!\[[^]]+\]\((\S+)\)(?:\n\n`((?:figures|samples|evaluation/test/figures)/[\w.]+\.\w+)`)?"


def pictures() -> list[tuple[str, str, str]]:
    """(the commands above it, file, path in the run folder) of each picture of the page."""
    blocks = re.findall(BLOCK, PAGE.read_text(), re.MULTILINE | re.DOTALL)
    return [(block, *found) for block, text in blocks for found in re.findall(PICTURE, text, re.MULTILINE)]


def test_every_picture_is_there_and_small_and_stands_under_the_command_that_made_it() -> None:
    assert len(pictures()) == PAGE.read_text().count("![") >= 12
    assert "\n$ " not in PAGE.read_text(), "tests/test_readme.py composes the commands of bash blocks alone"
    for commands, file, path in pictures():
        assert "python src/train.py " in commands, file
        assert path, f"{file}: the page does not say which file of the run folder it is"
        assert (PAGE.parent / file).stat().st_size < 200_000, file


def test_make_gallery_makes_every_picture_of_its_folder() -> None:
    made = {picture: path for _, paths in GALLERY["sections"](PAGE).values() for picture, path in paths.items()}
    assert made == {file: path for _, file, path in pictures() if file.startswith("gallery/")}
    stored = [file for file in (PAGE.parent / "gallery").rglob("*") if file.is_file()]
    assert {str(file.relative_to(PAGE.parent)) for file in stored} == set(made)
    assert sum(file.stat().st_size for file in stored) < 2_000_000


@pytest.fixture
def page(tmp_path: Path) -> Path:
    """Of two sections: a good one, and one whose second command fails."""
    page = tmp_path / "docs" / "page.md"
    page.parent.mkdir()
    page.write_text("""
```bash
mkdir -p "$LOG_DIR"/runs/digits/{0,1}/figures
echo new > "$LOG_DIR/runs/digits/0/figures/curves.png"
echo old > "$LOG_DIR/runs/digits/1/figures/curves.png"
touch -d 2020-01-01 "$LOG_DIR/runs/digits/1/figures/curves.png"
```

![a](gallery/good/curves.png)

`figures/curves.png`: of the newest run.

```bash
mkdir -p "$LOG_DIR/runs/a/b"; echo 1 > "$LOG_DIR/runs/a/b/c.png"
false
```

![b](gallery/bad/c.png)

`c.png`: no.
""")
    return page


def test_the_newest_picture_is_copied(page: Path, tmp_path: Path) -> None:
    GALLERY["remake"]("good", page, tmp_path / "logs")
    assert (page.parent / "gallery" / "good" / "curves.png").read_text() == "new\n"


def test_nothing_is_copied_where_a_command_fails(page: Path, tmp_path: Path) -> None:
    with pytest.raises(subprocess.CalledProcessError):
        GALLERY["remake"]("bad", page, tmp_path / "logs")
    assert not (page.parent / "gallery").exists()


def test_a_picture_that_no_command_made_is_named(page: Path, tmp_path: Path) -> None:
    page.write_text(page.read_text().replace("`figures/curves.png`", "`figures/curve.png`"))
    with pytest.raises(
        SystemExit, match=r"gallery: no command made figures/curve.png, the file of gallery/good/curves"
    ):
        GALLERY["remake"]("good", page, tmp_path / "logs")


def test_an_unknown_section_is_named_with_those_there_are_and_nothing_runs() -> None:
    command = [sys.executable, str(ROOT / "docs" / "gallery.py"), "discs"]
    told = subprocess.run(command, capture_output=True, text=True, env={"PATH": ""})
    assert told.returncode == 1
    assert told.stderr == f"gallery: no section discs; choose from: {', '.join(GALLERY['sections'](PAGE))}\n"
