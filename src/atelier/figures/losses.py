"""Draws the training losses of a generator and its discriminator over the epochs."""

from pathlib import Path

from atelier.figures.curves import series_by_metric
from atelier.figures.palette import COLORS
from atelier.figures.words import as_written

NAMES = {"generator_loss": "generator", "discriminator_loss": "discriminator"}


@as_written()
def draw_losses(run: Path) -> None:
    """Draw both training losses of metrics.csv into `figures/losses.png`, if metrics.csv has them."""
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    found = series_by_metric(run / "metrics.csv")
    if not found.keys() >= NAMES.keys():
        return
    figure = Figure(figsize=(6.4, 3.6), layout="constrained")
    axes = figure.subplots()
    for (metric, name), color, dash in zip(NAMES.items(), COLORS, ("-", "--"), strict=False):
        epochs, values = found[metric]["train"]
        axes.plot(epochs, values, dash, color=color, label=name, marker="o" if len(epochs) < 3 else None)
    axes.set_xlabel("epoch")
    axes.set_ylabel("training loss")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.grid(alpha=0.25)
    axes.legend()
    figure.savefig(run / "figures" / "losses.png", dpi=120)
