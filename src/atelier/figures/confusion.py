"""Draws a confusion matrix: for each true class (row), the share predicted as each class (column)."""

from collections.abc import Sequence
from pathlib import Path

from torch import Tensor

from atelier.figures.look import look
from atelier.figures.palette import write_png

MOST_LETTERED = 20  # classes; with more classes, numbers do not fit into the cells
MOST_NAMED = 50  # labels on an axis


def draw_confusion(counts: Tensor, names: Sequence[str], path: Path) -> None:
    """Draw counts (C, D) of samples, true class by predicted class, into a PNG file, in percent of each row.

    Args:
        names: D names, those of the C true classes first.
    """
    from matplotlib.colors import PowerNorm
    from matplotlib.figure import Figure

    size = len(counts)
    shares = 100 * counts / counts.sum(1, keepdim=True).clamp(min=1)
    side = max(4.5, 0.55 * size if size <= MOST_LETTERED else 9.0) + 0.09 * max(map(len, names))
    with look():
        figure = Figure(figsize=(side + 0.8, side), layout="constrained")
        axes = figure.subplots()
        # Off-diagonal shares are small: the square root makes them visible.
        image = axes.imshow(shares.numpy(), cmap="Blues", norm=PowerNorm(0.5, 0, 100))
        for row, column in counts.nonzero().tolist() if size <= MOST_LETTERED else ():
            ink = "white" if shares[row, column] > 25 else "black"
            text = percent(shares[row, column].item())
            cell = axes.text(column, row, text, ha="center", va="center", color=ink, fontsize=10)
            cell.set_in_layout(False)  # it takes no room beside the axes
        step = -(-size // MOST_NAMED)
        upright = max(map(len, names[::step])) > 3
        axes.set_xticks(range(0, len(names), step), names[::step], rotation=90 if upright else 0)
        axes.set_yticks(range(0, size, step), names[:size:step])
        axes.spines[:].set_visible(False)
        axes.tick_params(length=0)
        axes.set_xlabel("predicted class")
        axes.set_ylabel("true class")
        figure.colorbar(image, label="percent of the true class", shrink=0.8, ticks=[0, 1, 5, 20, 50, 100])
        write_png(figure, path)


def percent(share: float) -> str:
    """
    >>> percent(0.04), percent(0.4), percent(3.06), percent(96.4), percent(100)
    ('<.1', '0.4', '3.1', '96', '100')
    """
    return "<.1" if share < 0.1 else f"{share:.1f}" if share < 9.95 else f"{share:.0f}"
