"""Loads a user's images for a trained network, and compares them with the training images."""

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
from atelier.errors import InputError, faults_of

FAR = 4  # standard deviations, from which on brightness or contrast differs from the training images'
MOST_CUT = 1.5  # ratio of aspect ratios, from which on an image differs from the training images


@dataclass
class Brought:
    """The files that were read with their images (C, H, W) uint8 and notes; {file: reason} of unread files; and other
    content of folders."""

    files: list[Path] = field(default_factory=list)
    images: list[Tensor] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    unread: dict[str, str] = field(default_factory=dict)
    left_out: LeftOut = field(default_factory=lambda: LeftOut(Path()))


def bring(
    names: Sequence[str],
    data: TensorData,
    known: Mapping[str, Any],
    fit: Literal["crop", "pad", "squeeze", "auto"],
    invert: Literal["auto"] | bool,
) -> Brought:
    """Load the files `names`, and all images below the folders `names`.

    Args:
        names: paths of files and folders.
        data: the network's data set, whose `load_file` reads a file.
        known: the description of the training images, see `known_of`.
        fit: adaptation of other aspect ratios, see `atelier.data.reading.fitted`; "auto": the data set's `fit`.
        invert: whether to invert the images; "auto": only images whose brightness differs from the training images'
            unless they are inverted.

    Raises:
        InputError: if no file can be read.
    """
    fit = data.fit if fit == "auto" else fit
    brought = Brought()
    for name in names:
        for file in found_at(Path(name), brought):
            try:
                with faults_of(data.load_file):
                    image = data.load_file(file, fit)
            except InputError as error:
                brought.unread[str(file)] = str(error)
                continue
            image, said = like_training(image, known, invert)
            brought.files.append(file)
            brought.images.append(image)
            shaped = of_shape(aspect(file), data, known, fit) if isinstance(data, ImageData) else []
            brought.notes.append("; ".join([*shaped, *said]))
    if not brought.files:
        raise InputError(told_unread(brought.unread))
    return brought


def told_unread(unread: Mapping[str, str]) -> str:
    """The message for unread files: the first with its reason, then the names of the others."""
    (_, first), *others = unread.items()
    names = ", ".join(readable(name) for name, _ in others[: MOST_NAMED - 1])
    more = f" and {len(others) - MOST_NAMED + 1:,} more" if len(others) >= MOST_NAMED else ""
    return first + (f"\nnor can: {names}{more}" if names else "")


def found_at(path: Path, brought: Brought) -> list[Path]:
    """The file at `path`, or the images (by content or ending) below it; adds other files to `brought`."""
    if not path.is_dir():
        if path.is_symlink() or path.exists():
            return [path]
        brought.unread[str(path)] = f"inputs: there is no file or folder {readable(path)}"
        return []
    images = []
    for file in files_below(path, brought.left_out):
        if file.suffix.lower() in ENDINGS or is_image(file):
            images.append(file)
        else:
            brought.left_out.add("not an image", file)
    if not images:
        brought.unread[str(path)] = f"inputs: the folder {readable(path)} holds no images"
    return images


def known_of(data: TensorData, recorded: Mapping[str, Any] | None) -> Mapping[str, Any]:
    """The description of the training images from run.json, else from the data if they exist, else {}."""
    if recorded and "brightness" in recorded:
        return recorded
    if isinstance(data, ImageData) and data.source == "real" and data.cached:
        data.setup()
        return data.account()[0]
    return {}


def like_training(image: Tensor, known: Mapping[str, Any], invert: Literal["auto"] | bool) -> tuple[Tensor, list[str]]:
    """The image (C, H, W) uint8, possibly inverted, with notes on the inversion, and on its brightness and contrast."""
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
    """Whether an image's brightness or contrast is FAR from the training images'; False if theirs is unknown."""
    if name not in known:
        return False
    mean, deviation = known[name]
    return abs(measured(name, image) - mean) > FAR * deviation + 0.005  # tolerance for rounding


def measured(name: str, image: Tensor) -> float:
    brightness, contrast = brightness_and_contrast(image[None])
    return (brightness if name == "brightness" else contrast).item()


def of_shape(ratio: float, data: TensorData, known: Mapping[str, Any], fit: Fit) -> list[str]:
    """Notes on the adaptation of an image with aspect ratio `ratio` (width / height), and on a large difference."""
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
