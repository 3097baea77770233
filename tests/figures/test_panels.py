"""How many settings are divided among panels."""

from collections.abc import Sequence
from itertools import product

import pytest

from atelier.figures.panels import partition

Parts = list[tuple[str | None, list[int]]]


def grid(*counts: int) -> list[dict[str, str | None]]:
    """The settings of keys a, b, … with so many values each, the last key's changing first."""
    return [dict(zip("abc", map(str, one), strict=False)) for one in product(*map(range, counts))]


@pytest.mark.parametrize(
    ("counts", "key", "sizes"),
    [
        ((8,), None, [8]),
        ((9,), "a", [1] * 9),
        ((3, 3), "a", [3] * 3),
        ((4, 3), "b", [4] * 3),  # it needs the fewest panels
        ((2, 10), "b", [2] * 10),  # two panels of ten settings would have more than there are colours
        ((2, 13), None, [1] * 26),  # and thirteen panels are too small
        ((1, 9), "b", [1] * 9),
    ],
)
def test_settings_are_divided_by_the_key_that_needs_the_fewest_panels(
    counts: Sequence[int], key: str | None, sizes: list[int]
) -> None:
    values = grid(*counts)
    parts = partition(values)
    assert ({part for part, _ in parts}, [len(members) for _, members in parts]) == ({key}, sizes)
    assert sorted(index for _, members in parts for index in members) == list(range(len(values)))
    if key:
        assert all(len({values[index][key] for index in members}) == 1 for _, members in parts)


def test_a_key_or_each_setting_has_a_panel_if_told() -> None:
    values = grid(2, 2)
    expected: list[tuple[str, Parts]] = [
        ("b", [("b", [0, 2]), ("b", [1, 3])]),
        ("setting", [(None, [index]) for index in range(4)]),
    ]
    for apart, parts in expected:
        assert partition(values, apart) == parts
