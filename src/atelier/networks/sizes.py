"""Refuses a layer of no units, which torch makes without a word."""

from collections.abc import Sequence


def check_sizes(**sizes: int | Sequence[int]) -> None:
    """Check that sizes, and lists of them, are of 1 or more.

    >>> check_sizes(hidden=[64, 0])
    Traceback (most recent call last):
    ValueError: hidden=[64, 0]: give 1 or more

    Raises:
        ValueError: if one is not; what builds the network says which network it is.
    """
    for name, size in sizes.items():
        given = [size] if isinstance(size, int) else list(size)
        if min(given, default=1) < 1:
            raise ValueError(f"{name}={size if isinstance(size, int) else given}: give 1 or more")
