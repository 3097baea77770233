"""Draws loss and metrics of a run over its epochs or steps: training solid, validation dotted, test dashed.

A vertical line marks the best epoch or step.
"""

import json
from pathlib import Path
from typing import TYPE_CHECKING

from atelier.figures.words import SPLITS, as_written, metric_words
from atelier.runs.rows import read_curves

if TYPE_CHECKING:  # a training imports Matplotlib only to draw
    from atelier.figures.notebook import Figure

Series = dict[str, tuple[list[int], list[float]]]  # split: (epochs or steps, values)
STYLES = {
    "train": {"color": "#0072b2", "linestyle": "-"},
    "val": {"color": "#d55e00", "linestyle": ":"},
    "test": {"color": "#009e73", "linestyle": "--"},  # only with callbacks.watch_test
}


MARKED = 30  # a curve of at most so many values has a mark at each


def best_place(manifest: Path, unit: str) -> int | None:
    """The best epoch or step of a run, counted from 1; None if its run.json has none."""
    objective = json.loads(manifest.read_text(encoding="utf-8"))["objective"] if manifest.exists() else {}
    place = objective.get(f"best_{unit}")
    return None if place is None else place + (unit == "epoch")  # best_step: the steps done by then


def series_by_metric(path: Path, unit: str = "epoch") -> dict[str, Series]:
    """A metrics.csv as {metric: {split: (epochs or steps, counted from 1; values)}}.

    Args:
        unit: "epoch" or "step".
    """
    found: dict[str, Series] = {}
    for name, curve in read_curves(path, unit).items():
        split, _, metric = name.partition("/")
        if split in STYLES:
            found.setdefault(metric, {})[split] = ([place + 1 for place in curve], list(curve.values()))
    return found


@as_written()
def draw_curves(run: Path, unit: str = "epoch") -> None:
    """Draw `curves_figure` of a run's folder into `figures/curves.png`, if metrics.csv has metrics."""
    from atelier.figures.palette import write_png

    if (figure := curves_figure(run, unit)) is not None:
        write_png(figure, run / "figures" / "curves.png", dpi=120)


@as_written()
def curves_figure(run: Path, unit: str = "epoch") -> "Figure | None":
    """A figure with a panel for each metric in `metrics.csv` of a run's folder; None if there are no metrics.

    Args:
        unit: "epoch" or "step", the x-axis.
    """
    from atelier.figures.notebook import Figure
    from atelier.figures.palette import scale_upright, whole_ticks

    metrics = series_by_metric(run / "metrics.csv", unit)
    if not metrics:
        return None
    best = best_place(run / "run.json", unit)
    columns = min(2, len(metrics))
    lines = -(-len(metrics) // columns)
    figure = Figure(figsize=(4.8 * columns, 3.2 * lines), layout="constrained")
    panels = figure.subplots(lines, columns, squeeze=False).ravel()
    for panel in panels[len(metrics) :]:
        panel.set_axis_off()
    for panel, (metric, splits) in zip(panels, metrics.items(), strict=False):
        for split, (places, values) in sorted(splits.items(), key=lambda item: list(STYLES).index(item[0])):
            marker = "o" if len(places) <= MARKED else None
            panel.plot(places, values, label=SPLITS[split], marker=marker, markersize=3.5, **STYLES[split])
        if best is not None:
            panel.axvline(best, color="0.6", linewidth=1, zorder=0, label=f"best {unit}: {best:,}")
        panel.set_xlabel(unit)
        panel.set_title(metric_words(metric), fontsize=10)
        whole_ticks(panel, 6)
        scale_upright(panel, metric, [value for _, values in splits.values() for value in values])
        panel.grid(alpha=0.25)
        panel.legend(fontsize=8)
    figure.suptitle(f"{run.parent.name} {run.name}", fontsize=11)
    return figure
