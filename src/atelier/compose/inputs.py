"""A user's files: which they are, and the answers about them as a table, as JSON and as pictures."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from omegaconf import ListConfig
from rich.console import Console
from rich.table import Table
from torch import Tensor

from atelier.errors import InputError
from atelier.figures.sheet import draw_sheet

IMAGES = {".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".pgm", ".ppm"}
FORMATS = ("table", "json")


def find_files(inputs: Any) -> list[Path]:
    """The files that `inputs` names: files as they are, folders by the images directly in them, in order of name.

    Raises:
        InputError: for a path that is not there, or a folder without images.
    """
    files: list[Path] = []
    for name in inputs if isinstance(inputs, (list, ListConfig)) else [inputs]:
        path = Path(str(name))
        if not path.exists():
            raise InputError(f"inputs: there is no file or folder {path}")
        if not path.is_dir():
            files.append(path)
            continue
        found = sorted(file for file in path.iterdir() if file.suffix.lower() in IMAGES)
        if not found:
            raise InputError(f"inputs: the folder {path} holds no images ({', '.join(sorted(IMAGES))})")
        files += found
    if not files:
        raise InputError("inputs=[]: name at least one file or folder")
    return files


def show_answers(
    files: Sequence[Path], images: Tensor, answers: Sequence[dict[str, Any]], form: str, output: str | Path
) -> None:
    """Print the answers, and draw each file's picture (uint8, as the network saw it) with its answer under it.

    Raises:
        InputError: if `form` is neither table nor json.
    """
    if form not in FORMATS:
        raise InputError(f"format={form}: choose from: {', '.join(FORMATS)}")
    folder = Path(output)
    folder.mkdir(parents=True, exist_ok=True)
    for number, (file, image, answer) in enumerate(zip(files, images, answers, strict=True)):
        caption = "\n".join(f"{key}: {value}" for key, value in answer.items())
        same_name = any(other.stem == file.stem for other in files[:number])
        name = f"{file.stem}{f'_{number}' if same_name else ''}_answer.png"
        draw_sheet(image[None] / 255, [caption], folder / name, columns=1)
    if form == "json":
        print(
            json.dumps([{"file": str(file), **answer} for file, answer in zip(files, answers, strict=True)], indent=2)
        )
        return
    table = Table("file", *answers[0])
    for file, answer in zip(files, answers, strict=True):
        table.add_row(str(file), *(str(value) for value in answer.values()))
    Console().print(table)
    print(f"Pictures with the answers: {folder}")
