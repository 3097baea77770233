"""Checkpoints hold tensors and plain data only, and are opened in no other way than that."""

import pickle
import zipfile
from pathlib import Path
from typing import Any

import lightning.pytorch as lightning
import torch
from torch import nn

from atelier.errors import InputError


def open_checkpoint(path: Path) -> dict[str, Any]:
    """Load a checkpoint of this project on the CPU, with `weights_only=True`.

    Raises:
        InputError: if the file is truncated, holds anything but tensors and plain data, or is another program's.
    """
    if not path.is_file():
        raise InputError(f"{path}: there is no such checkpoint")
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        if zipfile.is_zipfile(path):
            raise InputError(f"{path} holds more than tensors and plain data, so it is not opened") from error
        raise InputError(f"{path} is damaged or no checkpoint") from error
    except Exception as error:  # what an unpickler makes of arbitrary bytes is arbitrary
        raise InputError(f"{path} is damaged or no checkpoint ({type(error).__name__})") from error
    if not isinstance(content, dict) or not {"state_dict", "config"} <= content.keys():
        raise InputError(f"{path} is a checkpoint of another program: it lacks a configuration")
    return content


def load_weights(task: lightning.LightningModule, path: Path) -> None:
    """Give a task the weights of a checkpoint and what else it keeps there, once it is known to be safe and to fit."""
    checkpoint = open_checkpoint(path)
    check_fits(task, checkpoint, path)
    task.load_state_dict(checkpoint["state_dict"])
    task.on_load_checkpoint(checkpoint)


def check_fits(task: nn.Module, checkpoint: dict[str, Any], path: Path) -> None:
    """Raise InputError if the checkpoint's tensors are not those of the task's network."""
    own = {name: tuple(tensor.shape) for name, tensor in task.state_dict().items()}
    found = {name: tuple(tensor.shape) for name, tensor in checkpoint["state_dict"].items()}
    if own == found:
        return
    different = sorted(name for name in own.keys() | found.keys() if own.get(name) != found.get(name))
    config = checkpoint["config"]
    name, network = different[0], (config.get("network") or config["task"])["_target_"]  # a task may have several
    raise InputError(
        f"{path} is of another network ({network}): {len(different)} tensors differ,\n"
        f"such as {name}: {found.get(name, 'missing')} in the checkpoint, {own.get(name, 'missing')} in the network"
    )
