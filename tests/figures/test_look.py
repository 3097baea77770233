"""The look of figures: colours for every kind of colour vision, a user's style, and the sizes of papers."""

import importlib
import itertools
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.transforms import Bbox
from PIL import Image

from atelier.errors import InputError
from atelier.figures.group import Group, Run
from atelier.figures.kinds import bars, curves
from atelier.figures.look import STYLE, WIDTHS, common_colors, look, read_style
from atelier.figures.palette import save, style
from atelier.figures.panels import MOST
from atelier.report.pictures import kind_names

Make = Callable[..., Group]

# What light of these parts in linear RGB becomes without one kind of cone (Machado et al., 2009, severity 1).
VISIONS = {
    "all cones": np.eye(3),
    "protanopia": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "deuteranopia": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
    "tritanopia": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]],
}


def as_seen(colors: tuple[str, ...], vision: Any) -> np.ndarray:
    """Colours (N, 3) in CIELAB, where a distance of about 2 is just visible, as they are seen with a vision."""
    coded = np.array([[int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)] for color in colors])
    linear = np.where(coded <= 0.04045, coded / 12.92, ((coded + 0.055) / 1.055) ** 2.4)
    seen = np.clip(linear @ np.array(vision).T, 0, 1)
    to_xyz = [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]]
    x, y, z = np.cbrt(seen @ np.array(to_xyz).T / [0.95047, 1, 1.08883]).T
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], axis=1)


@pytest.mark.parametrize("vision", VISIONS)
def test_neighbours_have_clearly_different_colours_in_every_vision(vision: str) -> None:
    seen = as_seen(common_colors(), VISIONS[vision])
    assert np.linalg.norm(np.diff(seen, axis=0), axis=1).min() > 20
    distances = [np.linalg.norm(one - other) for one, other in itertools.combinations(seen, 2)]
    assert min(distances) > 8


def test_in_grey_the_settings_of_a_panel_differ_in_marker(group: Make) -> None:
    """Neighbours have nearly the same lightness, so that in a paper each line needs its markers."""
    lightness = as_seen(common_colors(), VISIONS["all cones"])[:, 0]
    assert np.abs(np.diff(lightness)).min() < 5, "colours that differ in grey need no markers"
    assert len({style(index)["marker"] for index in range(MOST)}) == MOST
    runs = [{f"{split}/loss": {0: 1.0, 1: float(n)} for split in ("train", "val")} for n in range(1, 4)]
    data = curves.gather([group({"optimizer": str(n)}, curves=[run]) for n, run in enumerate(runs)], "loss")
    for paper, unmarked in (("column", 0), (None, 3)):
        with look(paper=paper):  # type: ignore[arg-type]
            lines = [line for line in curves.draw(data).axes[0].lines if len(line.get_xdata())]
        assert sum(line.get_marker() == "None" for line in lines) == unmarked, paper


def test_nine_settings_or_more_have_pairs_of_their_own() -> None:
    pairs = [(look["color"], look["marker"]) for look in map(style, range(30))]
    assert len(set(pairs)) == len(pairs)


# ---------------------------------------------------------------------- a user's style


def test_the_lines_of_a_users_style_count_over_ours(tmp_path: Path, group: Make) -> None:
    (tmp_path / "mine.mplstyle").write_text('axes.prop_cycle: cycler("color", ["#111111", "#222222"])\nfont.size: 10\n')
    data = bars.gather([group({"optimizer": "sgd"}, [1.0, 2.0])], "val/loss")
    with look(read_style(tmp_path / "mine.mplstyle")):
        (axes,) = bars.draw(data).axes
        assert [style(n)["color"] for n in range(4)] == ["#111111", "#222222", "#222222", "#222222"]
    assert axes.patches[0].get_facecolor()[:3] == pytest.approx([0x11 / 255] * 3)
    assert axes.texts[0].get_fontsize() == 10
    assert not axes.spines["top"].get_visible(), "of our style"
    with look(read_style(tmp_path / "mine.mplstyle"), "column"):
        assert bars.draw(data).axes[0].texts[0].get_fontsize() == 10
    assert style(0)["color"] == common_colors()[0], "ours again"
    with look(read_style(STYLE), "column"):  # as a copy of our file, in which a user has changed nothing
        assert bars.draw(data).axes[0].texts[0].get_fontsize() == 8


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (None, "style={file}: there is no such file; give a style file of Matplotlib, such as "),
        (b"font.sise: 3", "style: Bad key font.sise in file {file}, line 1 ('font.sise: 3')"),
        (b"font.size: 9\nfont.size: big", "style: Duplicate key in file '{file}', line 2 ('font.size: big')"),
        (b"font.size: big", "style: Bad value in file '{file}', line 1 ('font.size: big'): Key font.size: Could not"),
        (b"font.size 3", "style: Missing colon in file '{file}', line 1 ('font.size 3')"),
        (b"\xff\xfe", "style={file}: cannot be read: "),
    ],
)
def test_a_wrong_style_is_told(
    tmp_path: Path, content: bytes | None, told: str, capfd: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "mine.mplstyle"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(InputError) as error:
        read_style(file)
    assert str(error.value).startswith(told.format(file=file))
    assert "\n" not in str(error.value)
    assert capfd.readouterr() == ("", "")


# ---------------------------------------------------------------------- papers


@pytest.mark.parametrize("paper", ["column", pytest.param("page", marks=pytest.mark.slow)])
def test_a_papers_files_have_its_width_and_its_fonts_and_are_the_same_again(
    tmp_path: Path, group: Make, paper: Any
) -> None:
    data = bars.gather([group({"optimizer": name}, [1.0, 2.0]) for name in ("sgd", "adam")], "val/loss")
    for name in ("one", "two"):
        with look(paper=paper):
            figure = bars.draw(data)
            save(figure, tmp_path / name)
    assert {text.get_fontsize() for text in texts(figure)} == {8}
    with Image.open(tmp_path / "one.png") as image:
        assert (image.width, round(image.info["dpi"][0])) == (round(300 * WIDTHS[paper]), 300)
    points = f"{72 * WIDTHS[paper]:g}"
    assert f'width="{points}pt"' in (tmp_path / "one.svg").read_text()
    pdf = (tmp_path / "one.pdf").read_bytes()
    (box,) = re.findall(rb"/MediaBox \[ 0 0 ([\d.]+) [\d.]+ \]", pdf)
    assert box.decode() == points
    assert b"/FontFile2" in pdf
    assert b"/CIDFontType2" in pdf
    assert b"/Type3" not in pdf
    assert b"CreationDate" not in pdf
    for ending in (".png", ".svg", ".pdf"):
        assert (tmp_path / f"one{ending}").read_bytes() == (tmp_path / f"two{ending}").read_bytes()


@pytest.mark.parametrize("paper", ["column", pytest.param("page", marks=pytest.mark.slow)])
@pytest.mark.parametrize("kind", kind_names())
def test_every_kind_fits_into_a_paper(tmp_path: Path, group: Make, kind: str, paper: Any) -> None:
    """Long labels, many panels and many cells: nothing is cut, and no title or tick overlaps its neighbour."""
    keys = {"optimizer": ["sgd", "adagrad_keras"], "optimizer.lr": ["0.0001", "0.0003", "0.001"]}
    if kind == "heatmap":
        keys["optimizer.lr"] += ["0.003", "0.01", "0.03", "0.1"]
    else:
        keys["network.hidden"] = ["[512]", "[64,64,64,64,64]"]
    module = importlib.import_module(f"atelier.figures.kinds.{kind}")
    with look(paper=paper):
        figure = module.draw(
            module.gather(settings(tmp_path, group, keys), **OPTIONS.get(kind, {"metric": "val/loss"}))
        )
        canvas = FigureCanvasAgg(figure)
        canvas.draw()
    assert figure.get_figwidth() == WIDTHS[paper]
    ink = np.asarray(canvas.buffer_rgba())[..., :3] < 250
    assert ink.any()
    assert not any(side.any() for side in (ink[0], ink[-1], ink[:, 0], ink[:, -1])), "something is cut"
    for axes in figure.axes:
        boxes = [tick.label1.get_window_extent() for tick in axes.xaxis.get_major_ticks() if tick.label1.get_visible()]
        shown = [one for one in boxes if one.width and axes.bbox.x0 - 1 <= (one.x0 + one.x1) / 2 <= axes.bbox.x1 + 1]
        assert not any(Bbox.intersection(a, b) for a, b in itertools.pairwise(shown)), "tick labels overlap"
    titles = [axes.title.get_window_extent() for axes in figure.axes if axes.get_title()]
    assert not any(Bbox.intersection(a, b) for a, b in itertools.combinations(titles, 2)), "titles overlap"


OPTIONS = {"curves": {"metric": "loss"}, "pictures": {"metric": "val/loss", "name": "samples"}}


def settings(folder: Path, group: Make, keys: dict[str, list[str]]) -> list[Group]:
    draws = np.random.default_rng(0)
    found = []
    for number, values in enumerate(itertools.product(*keys.values())):
        (place := folder / str(number) / "figures" / "samples").mkdir(parents=True)
        for epoch in (5, 10):
            Image.new("RGB", (40, 30)).save(place / f"epoch_{epoch:04}.png")
        scores = list(draws.uniform(0.1, 1, size=3))
        lines = [{"train/loss": {0: 1.0, 1: score}, "val/loss": {0: 1.5, 1: score}} for score in scores]
        made = group(dict(zip(keys, values, strict=True)), scores, lines)
        run = Run(number, "completed", {"val/loss": scores[0]})
        found.append(replace(made, folders=[place.parent.parent], runs=[run]))
    return found


def texts(figure: Figure) -> list[Any]:
    return list(figure.findobj(lambda part: hasattr(part, "get_text") and part.get_text()))
