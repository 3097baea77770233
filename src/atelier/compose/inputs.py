"""Loads the inputs of predict.py, files or texts, and shows the predictions as a table, as JSON and as images."""

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

import torch
from annotated_types import MinLen
from omegaconf import DictConfig, OmegaConf
from rich.table import Table
from torch import Tensor

from atelier.arguments import check_arguments
from atelier.data.brought import bring
from atelier.data.class_folders import readable
from atelier.data.tensors import TensorData
from atelier.figures.sheet import draw_sheet
from atelier.runs.terminal import plain_console

Named = str | int | float  # YAML reads a text of digits as a number


@dataclass
class Inputs:
    """Inputs (N, …) in the format of a data set, their names and notes; {name: message} of unread inputs."""

    names: list[str]
    tensor: Tensor
    notes: list[str] = field(default_factory=list)
    unread: dict[str, str] = field(default_factory=dict)


def check_inputs(inputs: Named | Annotated[Sequence[Named], MinLen(1)]) -> None:
    """The signature that `check_arguments` compares with `inputs`."""


def load_inputs(options: DictConfig, data: TensorData, known: Mapping[str, Any]) -> Inputs:
    """Load the `inputs` of predict.py's options: texts if `data` reads text, else images.

    `known` is the description of the training images, see `atelier.data.brought.known_of`.

    Raises:
        InputError: if no image can be read, or a text cannot be read.
    """
    given = OmegaConf.to_container(options.inputs) if OmegaConf.is_list(options.inputs) else options.inputs
    check_arguments("", check_inputs, {"inputs": given})
    names = [str(name) for name in (given if isinstance(given, list) else [given])]
    if data.reads_text:
        return Inputs(names, torch.stack([data.read_text(name) for name in names]))
    check_arguments("predict", bring, options.predict, owner="")
    found = bring(names, data, known, **options.predict)
    if found.left_out:
        print(f"inputs: left out: {found.left_out}", file=sys.stderr)
    if not known:
        print("how bright the training images were is not known: the inputs are not compared", file=sys.stderr)
    return Inputs([str(file) for file in found.files], torch.stack(found.images), found.notes, found.unread)


def show_answers(
    inputs: Inputs, answers: Sequence[dict[str, Any]], format: Literal["table", "json"], output: str | Path
) -> None:
    """Print the N predictions {column: value}; write each image with its prediction as a PNG file into `output`."""
    pictures = inputs.tensor.dim() == 4
    if pictures:
        draw_answers([Path(name) for name in inputs.names], inputs.tensor, answers, Path(output))
    kind = "file" if pictures else "input"
    rows = [{kind: name, **answer} for name, answer in zip(inputs.names, answers, strict=True)]
    if any(inputs.notes) or (inputs.notes and format == "json"):
        rows = [{**row, "note": note} for row, note in zip(rows, inputs.notes, strict=True)]
    for words in inputs.unread.values():
        print(words, file=sys.stderr)
    if format == "json":
        print(json.dumps(rows + [{kind: name, "error": words} for name, words in inputs.unread.items()], indent=2))
        return
    table = Table()
    for name in rows[0]:
        table.add_column(name, overflow="fold")  # truncated names could look equal
    for row in rows:
        table.add_row(*(readable(str(value)) for value in row.values()))
    plain_console().print(table)
    if pictures:
        print(f"Pictures with the answers: {output}")


def draw_answers(files: Sequence[Path], images: Tensor, answers: Sequence[dict[str, Any]], folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for number, (file, image, answer) in enumerate(zip(files, images, answers, strict=True)):
        caption = "\n".join(f"{key}: {value}" for key, value in answer.items())
        name = file.stem[:60]  # file systems limit the length of names
        same_name = any(other.stem[:60] == name for other in files[:number])
        draw_sheet(image[None] / 255, [caption], folder / f"{name}{f'_{number}' * same_name}_answer.png", columns=1)
