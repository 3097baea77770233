"""Draws the training losses of a generator and its discriminator over the epochs or steps."""

from pathlib import Path
from typing import TYPE_CHECKING

from atelier.figures.curves import series_by_metric
from atelier.figures.palette import COLORS, whole_ticks, write_png
from atelier.figures.words import as_written

if TYPE_CHECKING:
    from atelier.figures.notebook import Figure

NAMES = {"generator_loss": "generator", "discriminator_loss": "discriminator"}


@as_written()
def draw_losses(run: Path, unit: str = "epoch") -> None:
    """Draw `losses_figure` of a run's folder into `figures/losses.png`, if metrics.csv has both losses."""
    if (figure := losses_figure(run, unit)) is not None:
        write_png(figure, run / "figures" / "losses.png", dpi=120)


@as_written()
def losses_figure(run: Path, unit: str = "epoch") -> "Figure | None":
    """A figure of both training losses in metrics.csv of a run's folder; None if metrics.csv lacks one of them.

    Args:
        unit: "epoch" or "step", the x-axis.
    """
    from atelier.figures.notebook import Figure

    found = series_by_metric(run / "metrics.csv", unit)
    if not found.keys() >= NAMES.keys():
        return None
    figure = Figure(figsize=(6.4, 3.6), layout="constrained")
    axes = figure.subplots()
    for (metric, name), color, dash in zip(NAMES.items(), COLORS, ("-", "--"), strict=False):
        places, values = found[metric]["train"]
        axes.plot(places, values, dash, color=color, label=name, marker="o" if len(places) < 3 else None)
    axes.set_xlabel(unit)
    axes.set_ylabel("training loss")
    whole_ticks(axes, 10)
    axes.grid(alpha=0.25)
    axes.legend()
    return figure
