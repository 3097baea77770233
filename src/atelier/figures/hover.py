"""What a page shows beside the pointer: the setting, the seed and the value at each drawn point of a figure."""

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from atelier.figures.words import number
from atelier.runs.statistic import Statistic

MOST = 3000  # points of a figure; of more, every second, third, … is kept
Point = tuple[float, float, str]  # shares of the figure's width from the left and of its height from the top, the text


def tell(axes: Axes, x: float, y: float, *words: str) -> None:
    """Remember the words for the point (x, y) of the axes' data; empty words are left out."""
    figure = axes.get_figure()
    assert isinstance(figure, Figure)
    told(figure).append((axes, x, y, ", ".join(filter(None, words))))


def told(figure: Figure) -> list[tuple[Axes, float, float, str]]:
    """What is remembered, in the figure itself, so that it is forgotten with it."""
    found: list[tuple[Axes, float, float, str]] = vars(figure).setdefault("told", [])
    return found


def tell_runs(axes: Axes, places: Sequence[tuple[float, float]], label: str, one: Statistic) -> None:
    """Remember the point of each run of a setting: its seed and value."""
    for (x, y), value, name in zip(places, one.values, one.names, strict=True):
        tell(axes, x, y, label, name, number(value))


def points(figure: Figure) -> list[Point]:
    """The remembered points of a figure that has been drawn, those outside of their axes left out."""
    found = told(figure)
    step = -(-len(found) // MOST) or 1
    shown = []
    for axes, x, y, words in found[::step]:
        across, up = axes.transData.transform((x, y))
        if axes.bbox.padded(1).contains(across, up):
            shown.append((round(across / figure.bbox.width, 4), round(1 - up / figure.bbox.height, 4), words))
    return shown
