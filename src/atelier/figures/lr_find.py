"""Draws the losses of a training whose learning rate rises, with the suggested and the present rate."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter
from numpy.typing import NDArray

from atelier.figures.look import look
from atelier.figures.palette import COLORS


def draw_losses_by_rate(
    path: Path,
    rates: NDArray[np.float64],
    losses: Sequence[float],
    means: NDArray[np.float64],
    suggested: float | None,
    present: float,
) -> Figure:
    """Draw a picture (PNG) of the losses, one for each of the first `rates`, and of their smoothed `means`.

    The axis of losses ends above the first ones, so that a training that diverges leaves the picture.

    Returns:
        What is drawn.
    """
    with look():
        figure = Figure(figsize=(7.0, 4.2), layout="constrained")
        axes = figure.subplots()
        axes.set_xscale("log")
        axes.set_xlim(rates[0], rates[-1])
        reached = rates[: len(losses)]
        axes.plot(reached, losses, color=COLORS[4], linewidth=1, label="loss of a step")
        axes.plot(reached, means, color=COLORS[0], label="mean over a factor of ten")
        if suggested is not None:
            axes.axvline(suggested, color=COLORS[1], label=f"suggestion: {suggested:g}")
        axes.axvline(present, color=COLORS[6], linestyle="--", label=f"present: {present:g}")
        axes.xaxis.set_major_formatter(FuncFormatter(lambda rate, _: f"{rate:g}"))
        finite = np.asarray(losses)[np.isfinite(losses)]
        start, low = finite[: finite.size // 4 + 1].max(initial=-np.inf), finite.min(initial=np.inf)
        if start > low:
            axes.set_ylim(low - 0.05 * (start - low), start + 0.25 * (start - low))
        axes.set_xlabel("learning rate")
        axes.set_ylabel("training loss")
        axes.grid()
        figure.legend(loc="outside lower center", ncols=2)
        figure.savefig(path, dpi=150)
    return figure
