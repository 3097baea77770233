"""The validation gap in a claim: at the best place, as run.json has it, or at another."""

from typing import Any

import pytest

from atelier.claims.claim import Side
from atelier.claims.verdict import number
from atelier.results.record import Recorded


@pytest.mark.parametrize(
    ("at", "gap"), [("last", 0.3), ({"epoch": 1}, 0.05), ({"epoch": 4}, None), ("best", 0.1), (None, 0.1)], ids=str
)
@pytest.mark.parametrize("clean", [True, False])
@pytest.mark.parametrize(("name", "sign"), [("accuracy", 1), ("loss", -1)])
def test_the_validation_gap_is_of_the_best_place_or_of_another(
    at: Any, gap: float | None, clean: bool, name: str, sign: int
) -> None:
    trained = {0: 0.55, 1: 0.8, 2: 0.9}
    curves = {f"train/{name}": trained, f"val/{name}": {0: 0.5, 1: 0.7, 2: 0.6}}
    if clean:
        curves = {**curves, f"train/{name}": {0: 0.0, 1: 0.0, 2: 0.0}, f"train/clean_{name}": trained}
    mode = {1: "max", -1: "min"}[sign]
    objective = {"metric": f"val/{name}", "mode": mode, "best": 0.7, "best_epoch": 1, "validation_gap": sign * 0.1}
    found = number(Recorded(None, {"objective": objective}, {}, curves), Side("validation_gap", at, {}), "epoch")
    assert found == (None if gap is None else pytest.approx(sign * gap))
