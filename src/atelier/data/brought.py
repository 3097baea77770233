"""A user's own images as a trained network is given them, and what in them is unlike the training images."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from torch import Tensor

from atelier.data.account import brightness_and_contrast
from atelier.data.class_folders import ENDINGS, LeftOut, files_below, is_image, readable
from atelier.data.images import ImageData
from atelier.data.reading import MOST_NAMED, Fit, aspect
from atelier.data.tensors import TensorData
from atelier.errors import InputError

FAR = 4  # standard deviations
MOST_CUT = 1.5  # as many times as wide as the training images, or as high


@dataclass
class Brought:
    """Files that were read, the images (C, H, W) uint8 that were made of them, what is to be said of each, why others
    were not read, and what is in folders beside the images."""

    files: list[Path] = field(default_factory=list)
    images: list[Tensor] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    unread: dict[str, str] = field(default_factory=dict)
    left_out: LeftOut = field(default_factory=lambda: LeftOut(Path()))


def bring(
    names: Sequence[str], data: TensorData, known: Mapping[str, Any], fit: Fit, invert: Literal["auto"] | bool
) -> Brought:
    """The images that `names` stand for: files, and all images below folders.

    Args:
        names: of files and folders.
        data: what the network was trained on; its `load_file` reads a file.
        known: its account, see `known_of`.
        fit: what becomes of an image of other proportions, see `atelier.data.reading.fitted`.
        invert: whether dark and bright change places; "auto": where only that makes an image as bright as those of the
            training.

    Raises:
        InputError: if none of them can be read.
    """
    brought = Brought()
    for name in names:
        for file in found_at(Path(name), brought):
            try:
                image = data.load_file(file, fit)
            except InputError as error:
                brought.unread[str(file)] = str(error)
                continue
            image, said = like_training(image, known, invert)
            brought.files.append(file)
            brought.images.append(image)
            brought.notes.append("; ".join([*of_shape(aspect(file), data, known, fit), *said]))
    if not brought.files:
        raise InputError(told_unread(brought.unread))
    return brought


def told_unread(unread: Mapping[str, str]) -> str:
    """The first of what was not read with the reason, then the names of the others."""
    (_, first), *others = unread.items()
    names = ", ".join(readable(name) for name, _ in others[: MOST_NAMED - 1])
    more = f" and {len(others) - MOST_NAMED + 1:,} more" if len(others) >= MOST_NAMED else ""
    return first + (f"\nnor can: {names}{more}" if names else "")


def found_at(path: Path, brought: Brought) -> list[Path]:
    """A file, or the files below a folder that are images or called so; `brought` is told of all others."""
    if not path.is_dir():
        if path.is_symlink() or path.exists():
            return [path]
        brought.unread[str(path)] = f"inputs: there is no file or folder {readable(path)}"
        return []
    images = []
    for file in sorted(files_below(path, brought.left_out)):
        if file.suffix.lower() in ENDINGS or is_image(file):
            images.append(file)
        else:
            brought.left_out.add("not an image", file)
    if not images:
        brought.unread[str(path)] = f"inputs: the folder {readable(path)} holds no images"
    return images


def known_of(data: TensorData, recorded: Mapping[str, Any] | None) -> Mapping[str, Any]:
    """The account of the training images in run.json, or that of the data if they are here; {} if neither is."""
    if recorded and "brightness" in recorded:
        return recorded
    if isinstance(data, ImageData) and data.source == "real" and data.path.exists():
        data.setup()
        return data.account()[0]
    return {}


def like_training(image: Tensor, known: Mapping[str, Any], invert: Literal["auto"] | bool) -> tuple[Tensor, list[str]]:
    """An image (C, H, W) uint8, inverted if need be; what was done, and how its brightness is unlike the others'."""
    notes = []
    if invert == "auto":
        invert = far("brightness", image, known) and not far("brightness", ~image, known)
    if invert:
        image = ~image
        notes.append("inverted")
    for name in ("brightness", "contrast"):
        if far(name, image, known):
            mean, deviation = known[name]
            notes.append(f"{name} {measured(name, image):.2f}, in training {mean:.2f} ± {deviation:.2f}")
    return image, notes


def far(name: str, image: Tensor, known: Mapping[str, Any]) -> bool:
    """Whether an image's brightness or contrast is far from that of the training images, if that is known."""
    if name not in known:
        return False
    mean, deviation = known[name]
    return abs(measured(name, image) - mean) > FAR * deviation + 0.005  # 0.005: a rounding is not far


def measured(name: str, image: Tensor) -> float:
    brightness, contrast = brightness_and_contrast(image[None])
    return (brightness if name == "brightness" else contrast).item()


def of_shape(ratio: float, data: TensorData, known: Mapping[str, Any], fit: Fit) -> list[str]:
    """What became of an image whose width / height is `ratio`, and whether that is far from the training images'."""
    _, height, width = getattr(data, "file_shape", (1, 1, 1))
    wanted = width / height
    least, most = known.get("aspects", (wanted, wanted))
    kept = min(ratio / wanted, wanted / ratio)
    notes = []
    if fit != "crop" and kept < 0.99:
        notes.append("padded" if fit == "pad" else "squeezed")
    if ratio > MOST_CUT * most or ratio < least / MOST_CUT:
        lost = f", {1 - kept:.0%} cut off" if fit == "crop" else ""
        trained = f"{least:.2g}" if most - least < 0.01 else f"{least:.2g} to {most:.2g}"
        notes.append(f"width / height {ratio:.2g}, in training {trained}{lost}")
    return notes
