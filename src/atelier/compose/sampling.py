"""What `src/sample.py` is asked to make, checked before anything is loaded."""

from atelier.errors import InputError
from atelier.figures.made import KINDS


def check_sampling(what: str, count: int | None, seed: int) -> None:
    """
    Raises:
        InputError: for what cannot be made, or a number out of its range.
    """
    if what not in KINDS:
        raise InputError(f"what={what}: choose from: {', '.join(KINDS)}")
    if count is not None and (not isinstance(count, int) or count < 1):
        raise InputError(f"n={count}: give a number of 1 or more, or null")
    if not isinstance(seed, int) or seed < 0:
        raise InputError(f"seed={seed}: give a whole number of 0 or more")
