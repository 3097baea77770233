"""Loads the inputs of predict.py, files or texts, and shows the predictions as a table, as JSON and as images."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import torch
from annotated_types import MinLen
from omegaconf import OmegaConf
from rich.console import Console
from rich.table import Table
from torch import Tensor

from atelier.arguments import check_arguments
from atelier.data.class_folders import ENDINGS
from atelier.data.tensors import TensorData
from atelier.errors import InputError
from atelier.figures.sheet import draw_sheet

Named = str | int | float  # YAML reads a text of digits as a number


def load_inputs(inputs: Named | Annotated[Sequence[Named], MinLen(1)], data: TensorData) -> tuple[list[str], Tensor]:
    """The names of the inputs (texts if `data` reads text, else paths), and the inputs (N, …) in the format of `data`.

    Raises:
        InputError: if an input does not exist or cannot be read.
    """
    given = OmegaConf.to_container(inputs) if OmegaConf.is_list(inputs) else inputs
    check_arguments("", load_inputs, {"inputs": given})
    names = [str(name) for name in (given if isinstance(given, list) else [given])]
    if data.reads_text:
        return names, torch.stack([data.read_text(name) for name in names])
    files = find_files(names)
    return [str(file) for file in files], torch.stack([data.load_file(file) for file in files])


def find_files(names: Sequence[str]) -> list[Path]:
    """The files of `inputs`; a folder is replaced by the images directly in it, in order of name.

    Raises:
        InputError: if a path does not exist, or a folder holds no images.
    """
    files: list[Path] = []
    for name in names:
        path = Path(name)
        if not path.exists():
            raise InputError(f"inputs: there is no file or folder {path}")
        if not path.is_dir():
            files.append(path)
            continue
        found = sorted(file for file in path.iterdir() if file.suffix.lower() in ENDINGS)
        if not found:
            raise InputError(f"inputs: the folder {path} holds no images ({', '.join(sorted(ENDINGS))})")
        files += found
    return files


def show_answers(
    names: Sequence[str],
    inputs: Tensor,
    answers: Sequence[dict[str, Any]],
    format: Literal["table", "json"],
    output: str | Path,
) -> None:
    """Print the predictions; if the inputs are images, write each with its prediction as a PNG file into `output`.

    Args:
        names: the N paths of the images, or the N texts.
        inputs: (N, C, H, W) uint8 for images; other inputs are not drawn.
        answers: the N predictions {column: value}.
    """
    pictures = inputs.dim() == 4
    if pictures:
        draw_answers([Path(name) for name in names], inputs, answers, Path(output))
    kind = "file" if pictures else "input"
    rows = [{kind: name, **answer} for name, answer in zip(names, answers, strict=True)]
    if format == "json":
        print(json.dumps(rows, indent=2))
        return
    table = Table(*rows[0])
    for row in rows:
        table.add_row(*(str(value) for value in row.values()))
    Console().print(table)
    if pictures:
        print(f"Pictures with the answers: {output}")


def draw_answers(files: Sequence[Path], images: Tensor, answers: Sequence[dict[str, Any]], folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for number, (file, image, answer) in enumerate(zip(files, images, answers, strict=True)):
        caption = "\n".join(f"{key}: {value}" for key, value in answer.items())
        same_name = any(other.stem == file.stem for other in files[:number])
        name = f"{file.stem}{f'_{number}' if same_name else ''}_answer.png"
        draw_sheet(image[None] / 255, [caption], folder / name, columns=1)
