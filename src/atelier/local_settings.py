"""The settings of one machine: files in conf/local/ that git does not know. None of their keys counts in a setting.

The options of conf/ that they change name them in their defaults lists. `ATELIER_LOCAL` names a folder inside it.
"""

import os
from pathlib import Path

from atelier.errors import InputError, not_among
from atelier.project import layers
from atelier.runs.folder import read_yaml
from atelier.runs.setting import ASIDE, within

# {a file's name: the keys that it may have}; []: any, which the launcher checks.
FILES = {
    "paths": ["data", "logs"],
    "trainer": [key.removeprefix("trainer.") for key in ASIDE if within(key, "trainer")],
    "launcher": [],  # of hydra/launcher=local
    "slurm": [],  # of hydra/launcher=slurm
}


def check_local(conf: Path) -> None:
    """
    Raises:
        InputError: if a file of conf/local/ is of no use, or has a key that counts in a setting.
    """
    place = Path("local", os.environ.get("ATELIER_LOCAL", "."))
    for file in (file for layer in layers(conf) for file in sorted((layer / place).glob("*.yaml"))):
        name = f"conf/{place / file.name}"
        if file.stem not in FILES:
            raise InputError(f"{name}: {not_among(file.stem, FILES)}")
        content, keys = read_yaml(file) or {}, FILES[file.stem]
        if not isinstance(content, dict):
            raise InputError(f"{name}: write KEY: VALUE, with a key of {file.stem} in each line")
        for key in content if keys else ():
            if key not in keys:
                raise InputError(f"{name}: {file.stem}.{key} is not a machine's own; {not_among(str(key), keys)}")
            if file.stem == "paths" and not str(content[key]).startswith(("/", "${")):
                raise InputError(f"{name}: paths.{key}={content[key]}: write it in full, from / on")
