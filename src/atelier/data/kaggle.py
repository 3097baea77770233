"""Data sets from Kaggle, by kagglehub (extra `kaggle`)."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from atelier.errors import InputError


def from_kaggle(download: Callable[[Any], str]) -> Path:
    """The folder into which `download` has kagglehub, which it is given, put a data set.

    Raises:
        InputError: without kagglehub, or when Kaggle refuses.
    """
    try:
        import kagglehub
    except ImportError:
        raise InputError("data.download=true needs kagglehub: pip install -e '.[kaggle]'") from None
    try:
        return Path(download(kagglehub))
    except Exception as error:  # kagglehub raises many kinds, its network library more
        raise InputError(f"data.download=true: Kaggle gave nothing ({type(error).__name__}: {error})") from error


def link(fetched: Path, folder: Path) -> None:
    """Have what was fetched at `folder` too."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    folder.symlink_to(fetched, target_is_directory=True)
