"""Describes a data set for the terminal and run.json: numbers of samples, files left out, and warnings."""

import json
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from atelier.data.class_folders import some, words_of

if TYPE_CHECKING:
    from atelier.data.tensors import TensorData

LOOKED_AT = 2000  # maximum number of training images that are measured
READ_AT_ONCE = 2**20  # bytes of a file whose checksum is computed
MOST_TOLD = 12  # maximum number of classes in a line
ACCEPT = "data.changed=accept goes on with them as they are now"
DIVIDED_ANEW = "the data have changed and are divided anew: the test may hold samples that the run has trained on"
PIECE = 2**16  # number of values that are measured at once, so that large images take little memory


def account(data: "TensorData") -> tuple[dict[str, Any], list[str]]:
    """The description of the data as plain data, and the lines of warnings for the terminal.

    It has the numbers of samples by split and class, the files left out, the brightness of images, and the warnings
    (`beware`). `stamp` (files' names, sizes and times) and `checksum` (content) identify the data.
    """
    known: dict[str, Any] = {"samples": {split: len(one) for split, one in data.sets.items()}}
    if classes := per_class(data):
        known["classes"] = {name: sum(counts.values()) for name, counts in classes.items()}
    if data.about.get("crc32"):
        known["checksum"] = checksum_of(data.about)
    if files := data.about.get("files"):
        known["files"] = {split: len(names) for split, names in files.items()}
    known |= {key: data.about[key] for key in ("stamp", "left_out", "aspects") if data.about.get(key)}
    known |= {**brightness_of(data), "beware": [*missing(classes, known["samples"]), *repeated(data)]}
    return known, [f"Beware: {words}" for words in known["beware"]]


def words_of_account(account: Mapping[str, Any], where: object) -> str:
    """The line about the images of a folder `where`, from an account.

    >>> found = {"samples": {"train": 3, "val": 1, "test": 2}, "classes": {"cat": 4, "dog": 2}}
    >>> words_of_account(found, "pets")
    'pets: 6 images, cat 4, dog 2; 3 train, 1 validate, 2 test'
    """
    samples, classes = account["samples"], account.get("classes") or {}
    count = sum(classes.values()) or sum(samples.values())
    each = some([f"{name} {number:,}" for name, number in classes.items()], MOST_TOLD)
    parts = f"{samples['train']:,} train, {samples['val']:,} validate, {samples['test']:,} test"
    left_out = words_of(account.get("left_out") or {})
    return f"{where}: {count:,} images{', ' if each else ''}{each}; {parts}" + (
        f"; left out: {left_out}" if left_out else ""
    )


def per_class(data: "TensorData") -> dict[str, dict[str, int]]:
    """{class: {split: number of samples}}; empty if the labels are no classes, (N,) int64."""
    labels = {split: one.labels[one.rows] for split, one in data.sets.items() if hasattr(one, "labels")}
    count = len(data.classes or ()) or data.num_classes
    others = any(one.dim() != 1 or one.dtype != torch.int64 for one in labels.values())
    if not count or len(labels) < len(data.sets) or others:
        return {}
    names = data.classes or [str(number) for number in range(count)]
    counts = {split: one.bincount(minlength=count).tolist() for split, one in labels.items()}
    if torch.equal(data.sets["train"].rows, data.sets["val"].rows):
        counts["val"] = [0] * count  # the training set is also the validation set
    return {name: {split: numbers[index] for split, numbers in counts.items()} for index, name in enumerate(names)}


def missing(classes: Mapping[str, Mapping[str, int]], samples: Mapping[str, int]) -> list[str]:
    """Warnings about splits or classes without a training or test sample."""
    found = []
    for split in ("train", "test"):
        names = [name for name, counts in classes.items() if not counts[split]]
        if not samples[split]:
            found.append(f"no sample to {split} on")
        elif names:
            found.append(f"no sample of {some(names, MOST_TOLD)} to {split} on")
    return found


def repeated(data: "TensorData") -> list[str]:
    """Warnings about equal images in the training and another split, or in two classes, with the first pair of each."""
    copies = data.about.get("copies")
    if not copies:
        return []
    train, test = data.sets["train"], data.sets["test"]
    splits = dict.fromkeys(train.rows.tolist(), "train")
    if not torch.equal(train.rows, data.sets["val"].rows):
        splits.update(dict.fromkeys(data.sets["val"].rows.tolist(), "val"))
    count = len(train.labels)
    splits.update({count + row: "test" for row in test.rows.tolist()})
    labels = torch.cat([train.labels, test.labels]).cpu()
    files = data.about.get("files", {"train": [], "test": []})
    names = [*files["train"], *files["test"]] or [f"image {row}" for row in range(len(labels))]
    beware = []
    for split, word in (("val", "validated"), ("test", "tested")):
        pairs = []
        for group in copies:
            trained = [row for row in group if splits.get(row) == "train"]
            pairs += [(trained[0], row) for row in group if trained and splits.get(row) == split]
        if pairs:
            beware.append(f"images both trained and {word} on: {len(pairs):,} ({pair(names, pairs[0])})")
    both = [(group[0], row) for group in copies for row in group if not torch.equal(labels[row], labels[group[0]])]
    if both:
        beware.append(f"images in two classes: {len(both):,} ({pair(names, both[0])})")
    return beware


def pair(names: Sequence[str], rows: tuple[int, int]) -> str:
    return f"the first: {names[rows[0]]} and {names[rows[1]]}"


def brightness_of(data: "TensorData") -> dict[str, list[float]]:
    """[mean, standard deviation] of the brightness and of the contrast of training images, for values 0 to 1."""
    images = data.sets["train"].inputs if hasattr(data.sets["train"], "inputs") else torch.zeros(0)
    if images.dim() != 4 or images.dtype != torch.uint8:
        return {}
    trained = data.sets["train"].rows
    rows = trained[looked_at(trained)]
    measured = torch.empty(2, len(rows))  # made before the pieces: small tensors between them would keep their memory
    for place in in_pieces(torch.arange(len(rows)), images[0]):
        measured[:, place] = torch.stack(brightness_and_contrast(images[rows[place].to(images.device)].cpu()))
    brightness, contrast = measured
    return {
        "brightness": [round(brightness.mean().item(), 4), round(brightness.std(correction=0).item(), 4)],
        "contrast": [round(contrast.mean().item(), 4), round(contrast.std(correction=0).item(), 4)],
    }


def brightness_and_contrast(images: Tensor) -> tuple[Tensor, Tensor]:
    """Mean (N,) and standard deviation (N,) of the values of each uint8 image (N, C, H, W), scaled to 0 to 1."""
    values = images.flatten(1).float() / 255
    return values.mean(1), values.std(1, correction=0)


def mean_and_std(images: Tensor, by_channel: bool) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation of the values, scaled to 0 to 1, of uint8 images (N, C, H, W): of each channel (C,),
    or of all (1,)."""
    counts = torch.zeros((images.shape[1] if by_channel else 1, 256), dtype=torch.float64)
    for rows in in_pieces(looked_at(images), images[0]):
        piece = images[rows]
        for row, values in zip(counts, piece.transpose(0, 1) if by_channel else [piece], strict=True):
            row += torch.bincount(values.flatten(), minlength=256)
    values, shares = torch.arange(256) / 255, counts / counts.sum(1, keepdim=True)
    mean = (shares * values).sum(1)
    return mean, (shares * (values - mean[:, None]) ** 2).sum(1).sqrt()


def looked_at(images: Tensor) -> Tensor:
    """The places of at most LOOKED_AT images, drawn: where classes or writers take turns, every n-th would be alike."""
    return torch.randperm(len(images), generator=torch.Generator().manual_seed(0))[:LOOKED_AT]


def in_pieces(rows: Tensor, image: Tensor) -> Sequence[Tensor]:
    """Parts of the rows whose images have about PIECE values together; `image` is one of them."""
    return rows.split(max(1, PIECE // image.numel()))


def checksum_of(about: Mapping[str, Any]) -> str:
    """A checksum of images, labels, their order, and the files' names."""
    names = json.dumps(about.get("files")).encode()
    return f"{zlib.crc32(names, int(about.get('crc32') or 0)):08x}"


def crc32_of(files: Sequence[Path]) -> int:
    """The CRC-32 of the files' content, one after the other."""
    crc = 0
    for name in files:
        with name.open("rb") as file:
            while block := file.read(READ_AT_ONCE):
                crc = zlib.crc32(block, crc)
    return crc


def told_changed(now: Mapping[str, Any], then: Mapping[str, Any]) -> str:
    """The message for data that have changed since the training, with the change and the remedy."""
    counts, before = {split: len(names) for split, names in now.get("files", {}).items()}, then.get("files", {})
    if counts != before:
        how = f": {counts['train']:,} images to train and validate and {counts['test']:,} to test are there now,"
        how += f" {before['train']:,} and {before['test']:,} were then"
    else:
        how = ": as many images, but others, or in other places"
    return f"the data have changed since the training{how};\n{ACCEPT}"
