"""Loads the inputs of predict.py: files or texts of the user's."""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any

import torch
from annotated_types import MinLen
from omegaconf import DictConfig, OmegaConf
from torch import Tensor

from atelier.arguments import check_arguments
from atelier.data.brought import bring
from atelier.data.tensors import TensorData

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
