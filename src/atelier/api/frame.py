"""Rows as a table: a pandas frame where pandas is installed."""

from collections.abc import Mapping, Sequence
from typing import Any


def frame(rows: Sequence[Mapping[str, Any]], of_none: Sequence[str]) -> Any:
    """A `pandas.DataFrame` with a row for each mapping; without pandas, a list of dictionaries with equal keys.

    Args:
        of_none: the columns of a table without rows.
    """
    columns = list(dict.fromkeys(name for row in rows for name in row)) or list(of_none)
    try:
        import pandas
    except ImportError:
        return [{name: row.get(name) for name in columns} for row in rows]
    return pandas.DataFrame(rows, columns=columns)
