"""Opens checkpoints safely: they hold tensors and plain Python data only, and load with `weights_only=True`."""

import pickle
import zipfile
from pathlib import Path
from typing import Any

import lightning.pytorch as lightning
import torch
from lightning.pytorch.plugins.io import TorchCheckpointIO
from torch import nn

from atelier.errors import InputError
from atelier.runs.trust import check_plain


def open_checkpoint(path: Path) -> dict[str, Any]:
    """Load a checkpoint of this project on the CPU, with `weights_only=True`.

    Raises:
        InputError: if the file is missing or damaged, holds other objects, or was written by another program.
    """
    if not path.is_file():
        raise InputError(f"{path}: there is no such checkpoint")
    check_archive(path)
    content = load_safely(path)
    if not isinstance(content, dict) or not {"state_dict", "config"} <= content.keys():
        raise InputError(f"{path} is a checkpoint of another program: it lacks a configuration")
    check_plain(content["config"], path)
    return content


def load_safely(path: Path) -> Any:
    """The content of a file of torch's, loaded on the CPU with `weights_only=True`; an InputError if that fails."""
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        if zipfile.is_zipfile(path):
            raise InputError(f"{path} holds more than tensors and plain data, so it is not opened") from error
        raise InputError(f"{path} is damaged or no checkpoint") from error
    except Exception as error:  # unpickling a damaged file can raise any exception
        raise InputError(f"{path} is damaged or no checkpoint ({type(error).__name__})") from error


class Straight(TorchCheckpointIO):
    """Writes a checkpoint where it belongs; Lightning's own way makes a copy in memory and another in TMPDIR."""

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any = None) -> None:
        """
        Raises:
            OSError: if the file cannot be written, for example on a full disk.
        """
        with open(path, "wb") as file:
            try:
                torch.save(checkpoint, file)
            except RuntimeError as error:
                if isinstance(cause := error.__context__, OSError):
                    raise OSError(cause.errno, cause.strerror, str(path)) from error
                raise


def check_archive(path: Path) -> None:
    """Compare the checksums of a checkpoint's archive, which `torch.load` does not.

    Raises:
        InputError: if the file is damaged, or if its parts would expand to more than the file.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            if sum(part.file_size for part in archive.infolist()) > path.stat().st_size:
                raise InputError(f"{path} is compressed, as no checkpoint of a run is, so it is not opened")
            damaged = archive.testzip()
    except zipfile.BadZipFile as error:
        raise InputError(f"{path} is damaged or no checkpoint ({error})") from error
    if damaged:
        raise InputError(f"{path} is damaged: the checksum of {damaged} differs")


def load_weights(task: lightning.LightningModule, path: Path) -> None:
    """Load the weights and the task's own state from a checkpoint, after checking that it is safe and fits."""
    checkpoint = open_checkpoint(path)
    check_fits(task, checkpoint, path)
    task.load_state_dict(checkpoint["state_dict"])
    task.on_load_checkpoint(checkpoint)


def check_fits(task: nn.Module, checkpoint: dict[str, Any], path: Path) -> None:
    """Raise InputError if names or shapes of the checkpoint's tensors differ from the task's."""
    own = {name: tuple(tensor.shape) for name, tensor in task.state_dict().items()}
    found = {name: tuple(tensor.shape) for name, tensor in checkpoint["state_dict"].items()}
    if own == found:
        return
    different = sorted(name for name in own.keys() | found.keys() if own.get(name) != found.get(name))
    config = checkpoint["config"]
    name, network = different[0], (config.get("network") or config["task"])["_target_"]  # a task may have several
    such = f"{name}: {found.get(name, 'missing')} in the checkpoint, {own.get(name, 'missing')} in the network"
    raise InputError(f"{path} is of another network ({network}): {len(different)} tensors differ,\nsuch as {such}")
