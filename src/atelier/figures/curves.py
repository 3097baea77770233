"""Loss and metrics of one run over its epochs or steps, training solid and validation dotted, as the reports do."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from atelier.runs.rows import read_metrics

Series = dict[str, tuple[list[float], list[float]]]  # split: (epochs or steps, values)
STYLES = {"train": {"color": "#0072b2", "linestyle": "-"}, "val": {"color": "#d55e00", "linestyle": ":"}}


def series_by_metric(rows: Sequence[Mapping[str, float]], unit: str = "epoch") -> dict[str, Series]:
    """Rows of metrics.csv as {metric: {split: (places counted from 1, values)}}; test values are left out.

    Args:
        unit: what the places are: epoch or step.
    """
    found: dict[str, Series] = {}
    for row in rows:
        for name, value in row.items():
            split, _, metric = name.partition("/")
            if split in STYLES and metric:
                places, values = found.setdefault(metric, {}).setdefault(split, ([], []))
                places.append(row[unit] + 1)
                values.append(value)
    return found


def draw_curves(run: Path, unit: str = "epoch") -> None:
    """One panel per metric in `metrics.csv` of a run's folder, into `figures/curves.png`; nothing if there is none.

    Args:
        unit: what the curves are drawn over: epoch or step.
    """
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    from atelier.figures.palette import scale_upright

    metrics = series_by_metric(read_metrics(run / "metrics.csv"), unit)
    if not metrics:
        return
    columns = min(2, len(metrics))
    lines = -(-len(metrics) // columns)
    figure = Figure(figsize=(4.8 * columns, 3.2 * lines), layout="constrained")
    panels = figure.subplots(lines, columns, squeeze=False).ravel()
    for panel in panels[len(metrics) :]:
        panel.set_axis_off()
    for panel, (metric, splits) in zip(panels, metrics.items(), strict=False):
        for split, (places, values) in sorted(splits.items()):  # training first
            marker = "o" if len(places) < 3 else None
            panel.plot(
                places, values, label={"train": "training", "val": "validation"}[split], marker=marker, **STYLES[split]
            )
        panel.set_xlabel(unit)
        panel.set_title(metric.replace("_", " "), fontsize=10)
        panel.xaxis.set_major_locator(MaxNLocator(nbins=6, integer=True))
        scale_upright(panel, metric, [value for _, values in splits.values() for value in values])
        panel.grid(alpha=0.25)
        panel.legend(fontsize=8)
    figure.suptitle(f"{run.parent.name} {run.name}", fontsize=11)
    figure.savefig(run / "figures" / "curves.png", dpi=120)
