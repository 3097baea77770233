"""The formats of exported files, and the comparison of a file with its run."""

from pathlib import Path
from types import ModuleType
from typing import Literal

import torch
from torch import Tensor

from atelier.errors import InputError
from atelier.export import onnx, program, weights
from atelier.export.exported import Exported

TOLERANCE = 1e-4  # share of the largest output; another order of 32-bit sums changes less
FORMATS = {"safetensors": weights, "onnx": onnx, "torch": program}


def format_of(format: Literal["safetensors", "onnx", "torch"]) -> ModuleType:
    """The module of a format: its ENDING, `write` to bytes, and `opened` bytes as a function of inputs."""
    return FORMATS[format]


def target(output: str | None, default: Path, ending: str) -> Path:
    """The file to write: `output`, or the `default` with the `ending`.

    Raises:
        InputError: if `output` has another ending, or is a folder.
    """
    path = default.with_name(default.name + ending) if output is None else Path(output)
    if path.suffix != ending:
        raise InputError(f"output={output}: files of this format end in {ending}")
    if path.is_dir():
        raise InputError(f"output={output}: a folder; name a file")
    return path


@torch.no_grad()
def compared(content: bytes, kind: ModuleType, exported: Exported, inputs: Tensor) -> float:
    """The largest difference between a file's outputs and the run's, as a share of the largest output.

    The inputs are given all at once, and the first alone.

    Raises:
        InputError: if it is above TOLERANCE, or not a number.
    """
    run = kind.opened(content, exported)
    found = [exported.difference(run(part), exported(part)) for part in (inputs, inputs[:1])]
    difference = float(torch.tensor(found).max())
    if not difference <= TOLERANCE:
        told = f"its outputs differ from the run's by {difference:.2g} of the largest one, more than {TOLERANCE:g}"
        raise InputError(f"{told}; no file is written")
    return difference
