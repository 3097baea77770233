"""Weights as safetensors: the tensors of the network's state_dict under their names, and facts as JSON."""

import copy
from collections.abc import Mapping
from typing import Any

import safetensors.torch
from torch import Tensor

from atelier.export.about import texts
from atelier.export.exported import Exported, Run

ENDING = ".safetensors"


def write(exported: Exported, inputs: Tensor, about: Mapping[str, Any]) -> bytes:
    task, _ = exported.owners
    tensors = task.network.state_dict().items()
    return safetensors.torch.save({name: tensor.clone().contiguous() for name, tensor in tensors}, texts(about))


def opened(content: bytes, exported: Exported) -> Run:
    """A copy of the run's task with the file's weights; torch raises an error if one of the network's is not there."""
    task, data = copy.deepcopy(exported.owners[0]), exported.owners[1]
    task.network.load_state_dict(safetensors.torch.load(content))
    return type(exported)(task, data).eval()
