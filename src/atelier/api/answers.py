"""Shows the predictions of predict.py as a table, as JSON and as images."""

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

from rich.table import Column, Table
from torch import Tensor

from atelier.data.class_folders import readable
from atelier.data.inputs import Inputs
from atelier.figures.sheet import draw_sheet
from atelier.runs.terminal import plain_console


def show_answers(
    inputs: Inputs, answers: Sequence[dict[str, Any]], format: Literal["table", "json"], output: str | Path
) -> None:
    """Print the N predictions {column: value}; write each image with its prediction as a PNG file into `output`."""
    pictures, rows = inputs.tensor.dim() == 4, inputs.rows(answers)
    if pictures:
        draw_answers([Path(name) for name in inputs.names], inputs.tensor, answers, Path(output))
    for words in inputs.unread.values():
        print(words, file=sys.stderr)
    if format == "json":
        print(json.dumps(rows, indent=2))
        return
    columns = [name for name in rows[0] if name != "note" or any(inputs.notes)]
    table = Table(*(Column(name, overflow="fold") for name in columns))  # truncated names could look equal
    for row in rows[: len(answers)]:
        table.add_row(*(readable(str(row[name])) for name in columns))
    plain_console().print(table)
    if pictures:
        print(f"Pictures with the answers: {output}")


def draw_answers(files: Sequence[Path], images: Tensor, answers: Sequence[dict[str, Any]], folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    taken: set[str] = set()
    for number, (file, image, answer) in enumerate(zip(files, images, answers, strict=True)):
        caption = "\n".join(f"{key}: {value}" for key, value in answer.items())
        name = file.stem[:60]  # file systems limit the length of names
        while name.lower() in taken:  # some file systems ignore case
            name += f"_{number}"
        taken.add(name.lower())
        draw_sheet(image[None] / 255, [caption], folder / f"{name}_answer.png", columns=1)
