"""Checks what a stranger's folder holds, before it is read or written into."""

import os
import re
import stat
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from atelier.errors import InputError
from atelier.runs.overrides import key_of

OVERRIDE = re.compile(r"[+~]{0,2}[A-Za-z_][\w-]*([./@][\w-]+)*(=.*)?")
CALL = re.compile(r"\$\{[^}]*:")  # of a resolver, which could read an environment variable


def check_files(path: Path) -> None:
    """
    Raises:
        InputError: if a folder of a run or a sweep holds a link that leads out of it, through which a file elsewhere
            would be written, or a pipe or device, which could be read for ever.
    """
    home = path.resolve()
    for folder, folders, files in os.walk(path):
        for child in (Path(folder) / name for name in (*folders, *files)):
            mode = child.lstat().st_mode
            if stat.S_ISLNK(mode) and not leads_into(child, home):
                raise InputError(f"{child} is a link, through which nothing is written; put a file or folder there")
            if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode) or stat.S_ISLNK(mode)):
                raise InputError(f"{child} is no file")
        if (place := Path(folder)) != path and place.name == "wandb":
            folders.clear()  # W&B's runs, never written into again, link to its cache


def leads_into(link: Path, home: Path) -> bool:
    try:
        return link.resolve().is_relative_to(home)
    except RuntimeError:  # it leads round in a circle
        return False


def check_overrides(overrides: Iterable[Any], where: Path | str, refused: tuple[str, ...] = ("hydra",)) -> None:
    """
    Args:
        where: the file that holds the overrides, or the option.
        refused: first words of keys that they cannot set.

    Raises:
        InputError: if one of them is an option of the command, calls a resolver, or sets a refused key.
    """
    for override in overrides:
        words = {re.split(r"[./]", part)[0] for part in key_of(str(override)).split("@")}
        if not OVERRIDE.fullmatch(str(override)) or CALL.search(str(override)) or words & {*refused}:
            raise InputError(f"{where}: {str(override)!r} is not composed, since it could do more than set a value")


def check_plain(content: Any, where: Path) -> None:
    """
    Raises:
        InputError: if a value stands in a configuration twice, by which a small file expands without limit.
    """
    seen: set[int] = set()
    left = [content]
    while left:  # without recursion, which deep content would exhaust
        part = left.pop()
        if isinstance(part, (dict, list, tuple)):
            if id(part) in seen:
                raise InputError(f"{where}: its configuration repeats itself without limit")
            seen.add(id(part))
            left.extend(part.values() if isinstance(part, dict) else part)
