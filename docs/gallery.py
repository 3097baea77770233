"""Remakes the pictures of docs/gallery.md: runs its commands, and copies the pictures from the run folders.

`make gallery` remakes all of them, `make gallery ARGS="disk vae"` those of some sections, which are folders of
docs/gallery/. The commands of a section work in logs/gallery/<section>/.
"""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

PAGE = Path(__file__).with_suffix(".md")
BLOCK = re.compile(r"^```bash\n(.*?)^```$(.*?)(?=^```|\Z)", re.MULTILINE | re.DOTALL)
PICTURE = re.compile(r"^!\[[^]]+\]\((gallery/(\w+)/[\w.]+)\)\n\n`([\w/.]+)`", re.MULTILINE)


def sections(page: Path) -> dict[str, tuple[str, dict[str, str]]]:
    """{section: (its commands, {picture: its path in the run folder})}; a picture is named as the page links it."""
    found = {}
    for commands, text in BLOCK.findall(page.read_text(encoding="utf-8")):
        pictures = PICTURE.findall(text)
        for section in {section for _, section, _ in pictures}:
            found[section] = commands, {picture: path for picture, _, path in pictures}
    return found


def remake(section: str, page: Path, logs: Path) -> None:
    """Run a section's commands with the folder of logs `logs`, and copy the newest of each picture.

    Raises:
        subprocess.CalledProcessError: if a command fails.
    """
    commands, pictures = sections(page)[section]
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    environment = {**os.environ, "LOG_DIR": str(logs), "PATH": path}
    subprocess.run(["bash", "-ec", commands], cwd=page.parents[1], env=environment, check=True)
    copy(pictures, page.parent, logs)


def copy(pictures: dict[str, str], docs: Path, logs: Path) -> None:
    for picture, path in pictures.items():
        made = list(logs.glob(f"*/*/*/{path}"))
        if not made:
            sys.exit(f"gallery: no command made {path}, the file of {picture}, in {logs}")
        newest = max(made, key=lambda file: file.stat().st_mtime)
        (docs / picture).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(newest, docs / picture)


if __name__ == "__main__":
    known = sections(PAGE)
    if unknown := [name for name in sys.argv[1:] if name not in known]:
        sys.exit(f"gallery: no section {', '.join(unknown)}; choose from: {', '.join(known)}")
    for name in sys.argv[1:] or known:
        remake(name, PAGE, PAGE.parents[1] / "logs" / "gallery" / name)
