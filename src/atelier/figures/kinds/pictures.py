"""Figures that runs have drawn, side by side: a row for each setting, a column for each epoch."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
from annotated_types import Ge
from matplotlib.figure import Figure

from atelier.errors import InputError
from atelier.figures.gallery import read
from atelier.figures.group import Group
from atelier.figures.look import present
from atelier.figures.panels import fitted
from atelier.figures.words import metric_words, number, sentence

MOST = 6  # settings


@dataclass(frozen=True)
class Row:
    """A setting; `pictures`: (title, file) of each column."""

    label: str
    pictures: list[tuple[str, Path]]


@dataclass(frozen=True)
class Pictures:
    """The data of the figure.

    Args:
        name: name of the files or the folder in the runs' figures.
        left_out: number of settings that are not drawn.
    """

    name: str
    rows: list[Row]
    left_out: int = 0


def gather(groups: Sequence[Group], /, metric: str, name: str, epochs: Annotated[int, Ge(1)] = 4) -> Pictures:
    """The files `figures/<name>/epoch_NNNN.png`, or else `figures/<name>.png`, of each setting's first run.

    Args:
        groups: the settings, the best first.
        metric: metric shown beside each setting's name.
        name: such as latents, neighbours, reconstructions.
        epochs: maximum number of columns, spread over the epochs that all settings have; 1: the last of them.

    Raises:
        InputError: if no run has such files.
    """
    if name != Path(name).name or name in ("", ".", ".."):
        raise InputError(f"name={name}: give the name of a file or folder in the runs' figures")
    found = [(group, pictures_of(group, name)) for group in groups]
    found = [(group, pictures) for group, pictures in found if pictures]
    if not found:
        raise InputError(f"name={name}: no run has drawn figures/{name}.png or figures/{name}/")
    common = sorted(set.intersection(*(set(pictures) for _, pictures in found)))
    if len(common) > epochs:
        common = [common[round(index)] for index in np.linspace(len(common) - 1, 0, epochs)[::-1]]
    rows = []
    for group, pictures in found[:MOST]:
        score = group.score(metric)
        told = f"{group.label}\n{metric_words(metric)} {number(score.mean)}" if score.n else group.label
        chosen = common or sorted(pictures)[-1:]
        rows.append(Row(told, [("" if epoch < 0 else f"epoch {epoch}", pictures[epoch]) for epoch in chosen]))
    return Pictures(name, rows, left_out=max(0, len(found) - MOST))


def pictures_of(group: Group, name: str) -> dict[int, Path]:
    """{epoch: file} of a setting's first run; the epoch of a single file is -1."""
    for folder in group.folders[:1]:
        files = sorted((folder / "figures" / name).glob("epoch_*.png"))
        if files:
            return {int(re.sub(r"\D", "", file.stem)): file for file in files}
        if (single := folder / "figures" / f"{name}.png").is_file():
            return {-1: single}
    return {}


def draw(pictures: Pictures) -> Figure:
    """Draw a row for each setting; settings with a single picture share a row in pairs."""
    columns = max(len(row.pictures) for row in pictures.rows)
    across = 2 if columns == 1 and len(pictures.rows) > 1 else 1
    down = -(-len(pictures.rows) // across)
    shapes = [read(path).size for row in pictures.rows for _, path in row.pictures]
    upright = max(height / width for width, height in shapes)
    form = present()
    wide = (form.width or (2.6 * columns if columns > 1 else 9.0)) / (columns * across)  # inches of a picture
    labels = [fitted(row.label, wide * columns) for row in pictures.rows]
    above = 0.19 * form.text * max(label.count("\n") + 3 for label in labels) if form.width else 0.75
    size = (wide * columns * across, (wide * upright + above) * down)
    figure = Figure(figsize=size, layout="constrained")
    parts = figure.subfigures(down, across, squeeze=False).ravel()[: len(pictures.rows)]
    for part, row, label in zip(parts, pictures.rows, labels, strict=True):
        part.suptitle(label, fontsize="medium")
        for axis, (title, path) in zip(np.atleast_1d(part.subplots(1, columns)).ravel(), row.pictures, strict=False):
            axis.imshow(np.asarray(read(path)), interpolation="nearest")
            axis.set_axis_off()
            axis.set_title(title, fontsize="small")
    return figure


def caption(pictures: Pictures) -> str:
    """The text below the figure."""
    rest = f" The best {MOST} settings; {pictures.left_out} are left out." if pictures.left_out else ""
    return f"{sentence(metric_words(pictures.name))} of the first run of each setting.{rest}"


def describe(pictures: Pictures) -> str:
    """The settings and epochs of the pictures as text, for readers who cannot see the figure."""
    told = [
        f"{row.label.replace(chr(10), ', ')}: {', '.join(title for title, _ in row.pictures if title) or 'one picture'}"
        for row in pictures.rows
    ]
    return f"Pictures ({pictures.name}). {'; '.join(told)}."
