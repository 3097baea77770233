"""The project that a command works for: this repository, or a folder of one's own that builds on its conf/ and code.

A project's pyproject.toml has a table `[tool.atelier]`:

    trusted = ["mine"]          # packages in src/ whose tasks, data sets, networks and the like may be built
    parts = ["mine.losses"]     # modules of them whose functions may be built, too

Only code that is installed or lies in the project decides what may be built, never a configuration.
"""

import os
import sys
import tomllib
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from dotenv import dotenv_values
from omegaconf import OmegaConf

PACKAGE = Path(__file__).resolve().parent
INSTALLED = (PACKAGE / "conf").is_dir()  # a wheel holds conf/ and the verbs inside the package
CONF = PACKAGE / "conf" if INSTALLED else PACKAGE.parent.parent / "conf"
VERBS = PACKAGE / "verbs" if INSTALLED else PACKAGE.parent
FOLDERS = ("DATA_DIR", "LOG_DIR")
VARIABLE = "ATELIER_PROJECT"  # the folder of the project, for all processes of the program `atelier`


def project_root() -> Path:
    """The folder of the project whose resolvers are registered."""
    return Path(OmegaConf.create({"root": "${project_root:}"}).root)


def find_project(folder: Path) -> Path:
    """The nearest folder, from `folder` upwards, whose pyproject.toml has the table [tool.atelier]; else `folder`."""
    for place in (folder, *folder.parents):
        if "atelier" in settings(place):
            return place
    return folder


@cache
def settings(root: Path) -> Mapping[str, Any]:
    """The table [tool] of a folder's pyproject.toml; empty without the file."""
    file = root / "pyproject.toml"
    try:
        found = tomllib.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
    except (OSError, tomllib.TOMLDecodeError):  # another tool's file
        return {}
    return found.get("tool", {})


def read_environment(root: Path) -> None:
    """Set the environment variables of a project's .env, but for those that are set; its folders may be relative.

    In a folder's `~/`, which a shell expands only where it is not quoted, `~` is the user's home.
    """
    for key, value in dotenv_values(root / ".env").items():
        os.environ.setdefault(key, str(root / os.path.expanduser(value)) if value and key in FOLDERS else value or "")
    os.environ.update({key: os.path.expanduser(os.environ[key]) for key in FOLDERS if key in os.environ})


def conf_of(root: Path) -> Path:
    """The folder of a project's configuration groups; the library's, if it has none of its own."""
    return root / "conf" if (root / "conf").is_dir() else CONF


def layers(conf: Path) -> Sequence[Path]:
    """The folders of the options, the first of which counts: `conf`, and the library's unless `conf` is complete."""
    return [conf] if conf == CONF or (conf / "train.yaml").is_file() else [conf, CONF]


def find(conf: Path, name: str) -> Path:
    """The first file `name` in the layers of `conf`; where it would lie, if there is none."""
    places = [layer / name for layer in layers(conf)]
    return next((place for place in places if place.is_file()), places[0])


def script_of(verb: str, root: Path) -> Path:
    """The script of a verb, for commands in the project `root`."""
    return (VERBS if INSTALLED or VARIABLE in os.environ else root / "src") / f"{verb}.py"


def command(verb: str) -> str:
    """What a user types for a verb: `atelier train` in the program, `python src/train.py` in this repository."""
    return f"atelier {verb}" if INSTALLED or VARIABLE in os.environ else f"python src/{verb}.py"


def trusted(key: str = "trusted") -> Sequence[str]:
    """The packages, or with "parts" the modules, that the present project names; src/ is on the path for them."""
    root = Path(os.environ.get(VARIABLE) or PACKAGE.parent.parent)
    named = settings(root).get("atelier", {}).get(key, [])
    if named and (code := str(root / "src")) not in sys.path:
        sys.path.insert(0, code)
    return named
