"""A program of torch.export (.pt2): torch.export.load reads it, without this project."""

import io
import json
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.export import Dim, ExportedProgram

from atelier.errors import InputError
from atelier.export.exported import Exported, Run

ENDING = ".pt2"
ABOUT = "atelier.json"  # name of the extra file with the facts


def write(exported: Exported, inputs: Tensor, about: Mapping[str, Any]) -> bytes:
    program, content = traced(exported, inputs), io.BytesIO()
    with plain_layers():  # torch warns of weights whose channels come last, which it saves as they are
        torch.export.save(program, content, extra_files={ABOUT: json.dumps(about)})
    return content.getvalue()


def opened(content: bytes, exported: Exported) -> Run:
    return torch.export.load(io.BytesIO(content)).module()


def traced(exported: Exported, inputs: Tensor) -> ExportedProgram:
    """The module as a graph of torch's operators, for any number of inputs.

    Args:
        inputs: one or more examples.

    Raises:
        InputError: if torch cannot trace it.
    """
    example = torch.cat([inputs, inputs, inputs])[:3]  # of one example, a graph for one input would be made
    shapes = ({0: Dim("batch")},)
    try:
        with plain_layers(), torch.no_grad():
            return torch.export.export(exported, (example,), dynamic_shapes=shapes, strict=False)
    except InputError:
        raise
    except Exception as error:  # tracing code of any kind can raise any exception
        raise InputError(told("torch.export", exported, error)) from error


@contextmanager
def plain_layers() -> Iterator[None]:
    """Inside this context, transformers compute with single operators, and third parties' warnings are silent."""
    quick = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        torch.backends.mha.set_fastpath_enabled(quick)


def told(what: str, exported: Exported, error: BaseException) -> str:
    """The message for an error of torch, with its first cause."""
    while error.__cause__ is not None:
        error = error.__cause__
    lines = str(error).strip().splitlines() or [type(error).__name__]
    network = type(exported.network).__name__
    return f"{what} cannot export {network}: {lines[0]}\nformat=safetensors writes its weights"
