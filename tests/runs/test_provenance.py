"""Where a run computes: what it has recorded before stays, and another place is listed once."""

from typing import Any

import pytest

from atelier.runs.provenance import recorded, told_if_scarce

HERE, THERE = {"device": "cpu", "precision": "32-true"}, {"device": "cuda", "precision": "bf16-mixed"}


@pytest.mark.parametrize(
    ("places", "listed"),
    [
        ([HERE, HERE], []),
        ([HERE, THERE, THERE], [THERE]),
        ([HERE, THERE, HERE], [THERE]),
        ([HERE, {**HERE, "precision": "16-mixed"}, THERE], [{**HERE, "precision": "16-mixed"}, THERE]),
    ],
)
def test_each_further_place_is_listed_once(places: list[dict[str, Any]], listed: list[dict[str, Any]]) -> None:
    run: dict[str, Any] = {"device": None, "precision": None}
    for place in places:
        run |= recorded(place, run)
    assert run == HERE | ({"resumed": listed} if listed else {})


@pytest.mark.parametrize(("threads", "cores", "scarce"), [(None, 1, False), (2, 2, False), (3, 2, True)])
def test_more_threads_than_cores_are_told(threads: int | None, cores: int, scarce: bool) -> None:
    assert bool(told_if_scarce(threads, cores)) is scarce
