"""Loads a user's inputs for a trained network: files, texts, or arrays in the format of its data set."""

import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any

import numpy as np
import torch
from annotated_types import MinLen
from omegaconf import DictConfig, OmegaConf
from torch import Tensor

from atelier.arguments import check_arguments
from atelier.data.brought import bring
from atelier.data.tensors import TensorData
from atelier.errors import InputError, faults_of

Named = str | int | float  # YAML reads a text of digits as a number


@dataclass
class Inputs:
    """Inputs (N, …) in the format of a data set, their names and notes; {name: message} of unread inputs."""

    names: list[str]
    tensor: Tensor
    notes: list[str] = field(default_factory=list)
    unread: dict[str, str] = field(default_factory=dict)

    def rows(self, answers: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
        """Each input's name, answer and note, as JSON has them; then the names of unread inputs with the `error`."""
        kind = "file" if self.tensor.dim() == 4 else "input"
        notes: list[dict[str, Any]] = [{"note": note} for note in self.notes] or [{}] * len(answers)
        read = [{kind: name, **a, **note} for name, a, note in zip(self.names, answers, notes, strict=True)]
        return read + [{kind: name, "error": words} for name, words in self.unread.items()]


def check_inputs(inputs: Named | Annotated[Sequence[Named], MinLen(1)]) -> None:
    """The signature that `check_arguments` compares with `inputs`."""


def load_inputs(options: DictConfig, data: TensorData, known: Mapping[str, Any]) -> Inputs:
    """Load the `inputs` of predict.py's options: texts if `data` reads text, else images.

    `known` is the description of the training images, see `atelier.data.brought.known_of`.

    Raises:
        InputError: if no image can be read, or a text cannot be read.
    """
    given = OmegaConf.to_container(options.inputs) if OmegaConf.is_list(options.inputs) else options.inputs
    return read_inputs(given, options.predict, data, known)


def read_inputs(given: Any, how: Mapping[str, Any], data: TensorData, known: Mapping[str, Any]) -> Inputs:
    """`load_inputs` of a name or a list of names; `how`: the arguments `fit` and `invert` of `bring`."""
    check_arguments("", check_inputs, {"inputs": given})
    names = [str(name) for name in (given if isinstance(given, list) else [given])]
    if data.reads_text:
        with faults_of(data.read_text):
            return Inputs(names, torch.stack([data.read_text(name) for name in names]))
    check_arguments("predict", bring, how, owner="")
    found = bring(names, data, known, **how)
    if found.left_out:
        print(f"inputs: left out: {found.left_out}", file=sys.stderr)
    if not known:
        print("how bright the training images were is not known: the inputs are not compared", file=sys.stderr)
    return Inputs([str(file) for file in found.files], torch.stack(found.images), found.notes, found.unread)


def is_array(inputs: Any) -> bool:
    """Whether a Python user's inputs are numbers, and not names."""
    return isinstance(inputs, Tensor) or (isinstance(inputs, np.ndarray) and inputs.dtype.kind not in "OSU")


def named(inputs: Any) -> Any:
    """A Python user's files or texts, as `read_inputs` takes them."""
    if isinstance(inputs, (str, bytes, os.PathLike)) or not isinstance(inputs, Iterable):
        return name_of(inputs)
    return [name_of(one) for one in inputs]


def name_of(one: Any) -> Any:
    """
    Raises:
        InputError: for an array among several inputs, or an object that is no name, such as an opened image.
    """
    if not isinstance(one, (str, bytes, os.PathLike, int, float, np.generic, type(None))):
        raise InputError(f"inputs: {type(one).__name__} is no file or text; several arrays are given as one, (N, …)")
    return os.path.expanduser(os.fsdecode(one)) if isinstance(one, (str, bytes, os.PathLike)) else one


def as_stored(values: Tensor | np.ndarray, data: TensorData) -> Tensor:
    """Inputs (N, …) in the format of a data set, from an array of several, or of a single one (…).

    Raises:
        InputError: if the array is empty, or has another shape or type of numbers than the data set's inputs.
    """
    tensor = values.detach() if isinstance(values, Tensor) else torch.from_numpy(np.array(values))
    shape, stored = tuple(getattr(data, "shape", tensor.shape[1:])), data.stored_as
    if tensor.shape == shape:
        tensor = tensor[None]
    if tensor.shape[1:] != shape or not len(tensor):
        wanted = ", ".join(map(str, shape))
        raise InputError(f"inputs: an array {list(tensor.shape)}; {type(data).__name__} takes N inputs [N, {wanted}]")
    if stored and (not torch.can_cast(tensor.dtype, stored) or (stored == torch.uint8 != tensor.dtype)):
        kind = "images uint8, 0 to 255" if stored == torch.uint8 else str(stored).removeprefix("torch.")
        raise InputError(f"inputs: an array of {str(tensor.dtype).removeprefix('torch.')}; give {kind}")
    return tensor.to(stored)
