"""Weights as safetensors: the tensors of the network's state_dict under their names, and facts as JSON."""

import copy
from collections.abc import Mapping
from typing import Any

import safetensors.torch
import torch
from torch import Tensor

from atelier.export.about import texts
from atelier.export.exported import Exported, Run

ENDING = ".safetensors"


def write(exported: Exported, inputs: Tensor, about: Mapping[str, Any]) -> bytes:
    task, _ = exported.owners
    tensors = task.network.state_dict().items()
    return safetensors.torch.save({name: tensor.clone().contiguous() for name, tensor in tensors}, texts(about))


def opened(content: bytes, exported: Exported) -> Run:
    """The run's task with zeros in the place of its weights, into which the file's weights are loaded."""
    task, data = copy.deepcopy(exported.owners[0]), exported.owners[1]
    with torch.no_grad():
        for tensor in task.network.state_dict().values():
            tensor.zero_()
    task.network.load_state_dict(safetensors.torch.load(content))
    return type(exported)(task, data).eval()
