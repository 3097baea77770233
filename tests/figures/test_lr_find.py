"""The picture of the learning-rate finder: its lines, and the least of which there is one."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from atelier.figures.lr_find import draw_losses_by_rate

RATES = np.geomspace(1e-4, 1.0, 5)


def drawn(path: Path, losses: list[float], suggested: float | None = None) -> Any:
    (axes,) = draw_losses_by_rate(path, RATES, losses, np.array(losses) + 0.5, suggested, present=0.1).axes
    return axes


def test_each_line_is_where_its_name_says(tmp_path: Path) -> None:
    """Of a training that diverges at its fourth step: the axis is that of the losses before."""
    axes = drawn(tmp_path / "lr_find.png", [2.0, 1.0, 1.5, 90.0], suggested=0.003)
    lines = {line.get_label(): (list(line.get_xdata()), list(line.get_ydata())) for line in axes.lines}
    assert lines["loss of a step"] == (list(RATES[:4]), [2.0, 1.0, 1.5, 90.0])
    assert lines["mean over a factor of ten"][1] == [2.5, 1.5, 2.0, 90.5]
    assert [lines[name][0][0] for name in ("suggestion: 0.003", "present: 0.1")] == [0.003, 0.1]
    assert (axes.get_xscale(), axes.get_xlim()) == ("log", (RATES[0], RATES[-1]))
    assert axes.get_ylim() == pytest.approx((0.95, 2.25))


@pytest.mark.parametrize("losses", [[2.3], [2.3] * 5, [math.nan], [2.3, math.inf]], ids=str)
def test_one_number_or_none_is_drawn_without_a_warning(tmp_path: Path, losses: list[float]) -> None:
    """A training may diverge at its first step, and weights of zeros learn nothing."""
    axes = drawn(tmp_path / "lr_find.png", losses)
    assert (tmp_path / "lr_find.png").is_file()
    assert not any("suggestion" in str(line.get_label()) for line in axes.lines)
