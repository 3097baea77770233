"""Made-up settings for the figures."""

from collections.abc import Callable, Mapping, Sequence

import pytest

from atelier.figures.group import Group
from atelier.figures.words import describe_values


@pytest.fixture
def group() -> Callable[..., Group]:
    """`group({"optimizer": "sgd"}, [1.0, 2.0])`: a setting with these swept values and scores, and perhaps curves."""

    def made(
        values: Mapping[str, str | None],
        scores: Sequence[float | None] = (),
        curves: Sequence[Mapping[str, Mapping[int, float]]] = (),
    ) -> Group:
        return Group(describe_values(values) or "made_up", values, {"val/loss": scores}, curves)

    return made
