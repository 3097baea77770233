"""A user's names are neither markup nor formulas, wherever they are printed or drawn."""

import ast
import re
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text
from PIL import Image
from rich.table import Table

from atelier.figures.confusion import draw_confusion
from atelier.figures.curves import draw_curves
from atelier.figures.gallery import draw_panels
from atelier.figures.look import look
from atelier.runs.terminal import plain_console

SOURCE = Path(__file__).parents[2] / "src"
NAMES = ["a$b_{$c", "$\\frac$", "[red]a[/red] :smile: [/"]


def confusion(name: str, folder: Path) -> None:
    draw_confusion(torch.eye(2), [name, "other"], folder / "drawn.png")


def panels(name: str, folder: Path) -> None:
    draw_panels([(name, Image.new("RGB", (8, 8)))], folder / "drawn.png", columns=1, title=name)


def curves(name: str, folder: Path) -> None:
    run = folder / name.replace("/", "|")
    (run / "figures").mkdir(parents=True)
    (run / "metrics.csv").write_text("epoch,step,train/loss,val/loss\n0,1,0.5,0.6\n1,2,0.4,0.5\n")
    draw_curves(run)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("draw", [confusion, panels, curves])
def test_a_name_is_drawn_as_it_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, draw: Callable[[str, Path], None], name: str
) -> None:
    drawn: list[Text] = []
    write = FigureCanvasAgg.print_png

    def keep(canvas: FigureCanvasAgg, path: Path) -> None:
        write(canvas, path)
        drawn.extend(canvas.figure.findobj(Text))

    monkeypatch.setattr(FigureCanvasAgg, "print_png", keep)
    draw(name, tmp_path)
    assert any(name.replace("/", "|") in text.get_text() or name in text.get_text() for text in drawn)
    assert not any(text.get_parse_math() for text in drawn if text.get_text())


def test_a_logarithmic_axis_has_plain_numbers() -> None:
    """Matplotlib's own are formulas, which would be drawn as they are written, too."""
    from atelier.figures.palette import scale_upright

    with look():
        figure = Figure()
        axes = figure.subplots()
        axes.plot([1, 2, 3], [0.01, 1, 100])
        scale_upright(axes, "loss", [0.01, 1, 100])
        figure.draw_without_rendering()
    assert not [label for label in axes.get_yticklabels(which="both") if "$" in label.get_text()]


@pytest.mark.parametrize("name", NAMES)
def test_a_name_is_printed_as_it_is_written(capsys: pytest.CaptureFixture[str], name: str) -> None:
    table = Table(name, title=name)
    table.add_row(name)
    plain_console(width=200).print(table)
    assert capsys.readouterr().out.count(name) == 3


def test_no_text_is_printed_otherwise() -> None:
    """Rich's own Console takes brackets for markup."""
    for file in SOURCE.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Call) and re.fullmatch(r"Console|TextColumn", getattr(node.func, "id", "")):
                given = {word.arg for word in node.keywords}
                static = node.args and isinstance(node.args[0], ast.Constant) and "{" not in str(node.args[0].value)
                assert "markup" in given or static, f"{file}: {ast.unparse(node)}"


def test_every_figure_is_drawn_as_it_is_written() -> None:
    """In `look`, or in `as_written`; figure kinds are drawn in the `look` of report/pictures.py."""
    for file in SOURCE.rglob("*.py"):
        text = file.read_text()
        if re.search(r"\bFigure\(", text) and file.parent.name != "kinds" and file.name != "panels.py":
            assert "look()" in text or "@as_written()" in text, file
