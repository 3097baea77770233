"""Refuses before the training a number of pictures of which nothing could be drawn after it."""

from atelier.errors import InputError


def check_counts(callback: str, **counts: int | None) -> None:
    """Check that a callback's options are 1 or more, or null where that is allowed.

    Raises:
        InputError: if one is less.
    """
    for key, count in counts.items():
        if count is not None and count < 1:
            raise InputError(f"callbacks.{callback}.{key}={count}: give 1 or more")
