"""Loads a user's arrays from `.npy` files."""

from pathlib import Path

import numpy as np

from atelier.data.class_folders import readable
from atelier.errors import InputError


def load_array(key: str, file: Path) -> np.ndarray:
    """Load the array of the file that `data.<key>` names.

    Raises:
        InputError: if the file holds no array of numbers, or an empty array.
    """
    told = f"data.{key}={readable(file)}"
    try:
        array = np.load(file, allow_pickle=False)
    except (ValueError, EOFError, OSError) as error:
        raise InputError(f"{told}: no .npy array of numbers ({error})") from error
    if not isinstance(array, np.ndarray):
        array.close()
        raise InputError(f"{told}: an archive of arrays; give a single .npy array")
    if not array.size:
        raise InputError(f"{told}: the array {list(array.shape)} is empty")
    return array
