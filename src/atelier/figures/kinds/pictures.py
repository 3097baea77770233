"""Pictures that runs have drawn, side by side: a row for each setting, and a column for each epoch."""

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
from atelier.figures.words import metric_words, number

MOST = 6  # settings


@dataclass(frozen=True)
class Row:
    """One setting: its pictures, each under its name."""

    label: str
    pictures: list[tuple[str, Path]]


@dataclass(frozen=True)
class Pictures:
    """What is drawn.

    Args:
        name: of the pictures, as they lie in the runs' figures.
        left_out: settings for which there was no room.
    """

    name: str
    rows: list[Row]
    left_out: int = 0


def gather(groups: Sequence[Group], /, metric: str, name: str, epochs: Annotated[int, Ge(1)] = 4) -> Pictures:
    """`figures/<name>.png` of each setting's first run; of `figures/<name>/epoch_NNNN.png`, where those are, several.

    Args:
        groups: the settings, the best first.
        metric: told beside each setting's name.
        name: such as latents, neighbours, reconstructions.
        epochs: how many columns at most, from the first epoch to the last, of those that all settings have.

    Raises:
        InputError: if no run has such pictures.
    """
    found = [(group, pictures_of(group, name)) for group in groups]
    found = [(group, pictures) for group, pictures in found if pictures]
    if not found:
        raise InputError(f"name={name}: no run has drawn figures/{name}.png or figures/{name}/")
    common = sorted(set.intersection(*(set(pictures) for _, pictures in found)))
    if len(common) > epochs:
        common = [common[round(index)] for index in np.linspace(0, len(common) - 1, epochs)]
    rows = []
    for group, pictures in found[:MOST]:
        score = group.score(metric)
        told = f"{group.label}\n{metric_words(metric)} {number(score.mean)}" if score.n else group.label
        chosen = common or sorted(pictures)[-1:]
        rows.append(Row(told, [("" if epoch < 0 else f"epoch {epoch}", pictures[epoch]) for epoch in chosen]))
    return Pictures(name, rows, left_out=max(0, len(found) - MOST))


def pictures_of(group: Group, name: str) -> dict[int, Path]:
    """{epoch: file} of a setting's first run; -1 for a picture of no epoch."""
    for folder in group.folders[:1]:
        files = sorted((folder / "figures" / name).glob("epoch_*.png"))
        if files:
            return {int(re.sub(r"\D", "", file.stem)): file for file in files}
        if (single := folder / "figures" / f"{name}.png").is_file():
            return {-1: single}
    return {}


def draw(pictures: Pictures) -> Figure:
    """A line of pictures for each setting; settings of one picture each stand in pairs."""
    columns = max(len(row.pictures) for row in pictures.rows)
    across = 2 if columns == 1 and len(pictures.rows) > 1 else 1
    down = -(-len(pictures.rows) // across)
    shapes = [read(path).size for row in pictures.rows for _, path in row.pictures]
    upright = max(height / width for width, height in shapes)
    wide = 2.6 if columns > 1 else 9.0 / across  # inches of one
    size = (wide * columns * across, (wide * upright + 0.75) * down)
    figure = Figure(figsize=size, layout="constrained")
    parts = figure.subfigures(down, across, squeeze=False).ravel()[: len(pictures.rows)]
    for part, row in zip(parts, pictures.rows, strict=True):
        part.suptitle(row.label, fontsize="medium")
        for axis, (title, path) in zip(np.atleast_1d(part.subplots(1, columns)).ravel(), row.pictures, strict=False):
            axis.imshow(np.asarray(read(path)), interpolation="nearest")
            axis.set_axis_off()
            axis.set_title(title, fontsize="small")
    return figure


def caption(pictures: Pictures) -> str:
    """What is drawn."""
    rest = f" The best {MOST} settings; {pictures.left_out} are left out." if pictures.left_out else ""
    return f"{metric_words(pictures.name).capitalize()} of the first run of each setting.{rest}"


def describe(pictures: Pictures) -> str:
    """Which pictures there are, in words."""
    told = [
        f"{row.label.replace(chr(10), ', ')}: {', '.join(title for title, _ in row.pictures if title) or 'one picture'}"
        for row in pictures.rows
    ]
    return f"Pictures ({pictures.name}). {'; '.join(told)}."
