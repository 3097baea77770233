"""Downloads data sets from Kaggle with kagglehub (extra `kaggle`)."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from atelier.errors import InputError


def from_kaggle(download: Callable[[Any], str], folder: Path) -> Path:
    """The folder of a data set that `download` fetches; `download` gets the module kagglehub as its argument.

    A link at `folder`, where the data set will be, is removed if it leads nowhere, as to a download that was deleted.

    Raises:
        InputError: if kagglehub is not installed, or the download fails.
    """
    try:
        import kagglehub
    except ImportError:
        raise InputError("data.download=true needs kagglehub: pip install 'atelier[kaggle]'") from None
    try:
        fetched = Path(download(kagglehub))
    except Exception as error:  # kagglehub and its network library raise many kinds
        raise InputError(f"data.download=true: Kaggle gave nothing ({type(error).__name__}: {error})") from error
    if folder.is_symlink() and not folder.exists():
        folder.unlink()
    return fetched


def link(fetched: Path, folder: Path) -> None:
    """Make `folder` a symbolic link to the fetched folder."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    folder.symlink_to(fetched, target_is_directory=True)
