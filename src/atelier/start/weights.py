"""Reads the weights of a file or of a finished run: tensors by name, and a checksum of them."""

import functools
import zipfile
import zlib
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from atelier.errors import InputError
from atelier.runs.checkpoint import check_archive, load_safely
from atelier.runs.folder import find
from atelier.runs.trust import check_files

INSIDE = ("state_dict", "model")  # keys under which training programs save the weights


def file_of(weights: str, logs: Path) -> Path:
    """The file that a user names: a file itself, or the best checkpoint of a run's folder or of `latest`.

    Raises:
        InputError: if there is no such file, run or checkpoint.
    """
    if weights != "latest" and not Path(weights).is_dir():
        if not Path(weights).is_file():  # reading a pipe would wait for ever
            raise InputError("there is no such file and no run folder")
        return Path(weights)
    folder = find(weights, logs)
    check_files(folder.path)
    if not (folder.best.is_file() or folder.last.is_file()):
        raise InputError(f"the run {folder.path} has no checkpoint")
    return folder.checkpoint("best")


def read_weights(path: Path) -> dict[str, Tensor]:
    """The tensors of a file by name, on the CPU: of safetensors, or of torch, loaded with `weights_only=True`.

    Raises:
        InputError: if the file is damaged, or holds no tensors by name or other objects beside plain data.
    """
    if path.suffix == ".safetensors":
        try:
            return load_file(path)
        except (SafetensorError, ValueError) as error:
            raise InputError(f"{path} is damaged or no file of safetensors ({error})") from error
    if zipfile.is_zipfile(path):  # torch's earlier format is none, and has no checksums
        check_archive(path)
    content = load_safely(path)
    for key in INSIDE:
        if isinstance(content, dict) and isinstance(content.get(key), dict):
            content = content[key]
    known = content.items() if isinstance(content, dict) else ()
    tensors = {name: value for name, value in known if isinstance(name, str) and is_plain(value)}
    if not tensors:
        raise InputError(f"{path} holds no tensors by name")
    for name, tensor in tensors.items():
        if tensor.numel() * tensor.element_size() > tensor.untyped_storage().nbytes():
            raise InputError(f"{path}: {name} expands to more than the file holds")
    return tensors


def is_plain(value: Any) -> bool:
    """Whether a value is a tensor of plain numbers in memory: not sparse, quantised, nested or without values."""
    usual = isinstance(value, Tensor) and value.layout is torch.strided and value.device.type == "cpu"
    return usual and not (value.is_quantized or value.is_nested)


def checksum(weights: dict[str, Tensor], crc: int = 0) -> str:
    """The CRC-32 of tensors in the order of their names, after those with `crc`: eight hexadecimal digits."""
    for _, tensor in sorted(weights.items()):
        crc = zlib.crc32(tensor.reshape(-1).view(torch.uint8).numpy().data, crc)
    return f"{crc:08x}"


def checksum_of(path: Path) -> str:
    """The checksum of a file's tensors with their names, types and shapes; a file is read once."""
    found = path.stat()
    return checksum_at(path, found.st_size, found.st_mtime_ns)


@functools.cache
def checksum_at(path: Path, size: int, changed: int) -> str:
    weights = read_weights(path)
    named = [(name, str(tensor.dtype), tuple(tensor.shape)) for name, tensor in sorted(weights.items())]
    return checksum(weights, zlib.crc32(repr(named).encode()))
