"""The data cache: a safetensors file for each data set, written once; each start maps it and checks its checksum.

It holds `train_images` (N, C, H, W) uint8, `train_labels` (N, …) int64, `test_images`, `test_labels`. Its metadata may
hold the class names (`classes`, JSON), a checksum of the tensors (`crc32`), and further facts about the data (`about`,
JSON).
"""

import fcntl
import glob
import json
import os
import tempfile
import time
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from atelier.data.class_folders import readable
from atelier.errors import InputError

A_DAY = 86_400  # seconds
NAMES = ("train_images", "train_labels", "test_images", "test_labels")


def write_cache(
    path: Path, tensors: Mapping[str, Tensor], classes: list[str] | None = None, about: Mapping[str, Any] | None = None
) -> None:
    """Write a temporary file beside `path` and rename it, so that a cache file is never half-written.

    `about` is plain data.

    Raises:
        InputError: if a tensor is missing or of a wrong type, or the file cannot be written.
    """
    if reason := wrong(tensors):
        raise InputError(f"{path.stem}: the data set's make() returned wrong tensors: {reason}")
    metadata = {"crc32": str(checksum(tensors))}
    if about:
        metadata["about"] = json.dumps(about)
    if classes is not None:
        metadata["classes"] = json.dumps(classes)
    with writing(path):
        descriptor, part = tempfile.mkstemp(dir=path.parent, prefix=part_of(path))
        os.close(descriptor)
        try:
            save_file(stored(tensors), part, metadata=metadata)
            os.chmod(part, 0o644)
            os.replace(part, path)
        except BaseException:
            os.unlink(part)
            raise


def part_of(path: Path) -> str:
    return f".part.{path.name}."


@contextmanager
def alone(path: Path) -> Iterator[None]:
    """Inside this context, no other process makes a cache file in the folder of `path`, or fetches what it is made of.

    What a process has left that was killed while it wrote is removed a day later. Over NFS, machines do not see each
    other's locks: both make the file, and one replaces the other's.
    """
    with writing(path):
        lock = os.open(path.parent, os.O_RDONLY)
    try:
        with suppress(OSError):  # a file system without locks
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                print(f"{path.parent}: waiting for another process that makes a data set there", flush=True)
                fcntl.flock(lock, fcntl.LOCK_EX)
            for part in path.parent.glob(f"{glob.escape(part_of(path))}*"):
                if time.time() - part.stat().st_mtime > A_DAY:
                    part.unlink(missing_ok=True)
        yield
    finally:
        os.close(lock)


def stored(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The four tensors as safetensors takes them: contiguous, and a test set that is the training set as a copy."""
    kept = {name: tensors[name].contiguous() for name in NAMES}
    seen: set[int] = set()
    for name, tensor in kept.items():
        kept[name] = tensor.clone() if tensor.data_ptr() in seen else tensor
        seen.add(tensor.data_ptr())
    return kept


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Make the folder of a cache file, in which something is written.

    Raises:
        InputError: in the place of an OSError, with the reason.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield
    except (OSError, SafetensorError) as error:
        why = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise InputError(f"{path} cannot be written: {why} (paths.data, DATA_DIR say where to write)") from error


def read_about(path: Path) -> dict[str, Any]:
    """The facts `about` the data and the tensors' `crc32`; {} if the file is missing or damaged."""
    try:
        with safe_open(path, framework="pt") as file:
            return about_of(file.metadata() or {})
    except (OSError, ValueError, SafetensorError):  # `read_cache` reports a damaged file
        return {}


def about_of(metadata: Mapping[str, str]) -> dict[str, Any]:
    return {**json.loads(metadata.get("about", "{}")), "crc32": metadata.get("crc32")}


def read_cache(path: Path) -> tuple[dict[str, Tensor], list[str] | None]:
    """The memory-mapped tensors and the class names; raises as `read_whole`."""
    tensors, classes, _ = read_whole(path)
    return tensors, classes


def read_whole(path: Path) -> tuple[dict[str, Tensor], list[str] | None, dict[str, Any]]:
    """The memory-mapped tensors, the class names, and `read_about` of the same file, which another may replace.

    Raises:
        InputError: if the file is truncated, changed, or has missing or wrong tensors.
    """
    try:
        with path.open("rb"), safe_open(path, framework="pt") as file:  # safetensors calls every failure "not found"
            missing = set(NAMES) - set(file.keys())
            if missing:
                raise InputError(corrupt(path, f"it lacks {', '.join(sorted(missing))}"))
            tensors = {name: file.get_tensor(name) for name in NAMES}
            metadata = file.metadata() or {}
    except SafetensorError as error:
        raise InputError(corrupt(path, str(error))) from error
    if "crc32" in metadata and metadata["crc32"] != str(checksum(tensors)):
        raise InputError(corrupt(path, "its checksum does not match"))
    if reason := wrong(tensors):
        raise InputError(corrupt(path, reason))
    return tensors, json.loads(metadata["classes"]) if "classes" in metadata else None, about_of(metadata)


def wrong(tensors: Mapping[str, Tensor]) -> str:
    """The first fault of the tensors of a cache; "" if there is none."""
    if reason := apart(tensors):
        return reason
    for name in NAMES:
        kind = torch.uint8 if name.endswith("images") else torch.int64
        if tensors[name].dtype != kind:
            return f"{name} are {tensors[name].dtype}, not {kind}"
    return ""


def apart(tensors: Mapping[str, Tensor]) -> str:
    """Which tensor is missing or none, or which inputs and labels are not equally many; "" if all fit."""
    if missing := [name for name in NAMES if name not in tensors]:
        return f"it lacks {', '.join(missing)}"
    for name in NAMES:
        if not isinstance(tensors[name], Tensor):
            return f"{name} are of type {type(tensors[name]).__name__}; make a tensor of them, as torch.as_tensor does"
    for split in ("train", "test"):
        images, labels = len(tensors[f"{split}_images"]), len(tensors[f"{split}_labels"])
        if images != labels:
            return f"{images} {split}_images have {labels} {split}_labels"
    return ""


def checksum(tensors: Mapping[str, Tensor]) -> int:
    value = 0
    for name in NAMES:
        value = zlib.crc32(tensors[name].contiguous().numpy().reshape(-1).view("uint8").data, value)
    return value


def checksum_of_places(folder: Path, *files: Path) -> str:
    """A checksum of the paths of a user's files, relative to the `folder` of the cache if they lie in it."""
    places = [file.absolute() for file in files]
    home = folder.absolute()
    names = [readable(place.relative_to(home) if place.is_relative_to(home) else place) for place in places]
    return f"{zlib.crc32(' '.join(names).encode()):08x}"


def corrupt(path: Path, reason: str) -> str:
    return f"{path} is damaged ({reason}). Make it anew with data.rebuild=true, or delete the file."
