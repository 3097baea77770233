"""Finds images, class folders and splits in a user's folder; without torch, since composing a configuration uses it."""

import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from atelier.errors import InputError

# Endings of image files. The content decides whether a file is an image; another file with such an ending is broken.
# fmt: off
ENDINGS = {
    ".apng", ".avif", ".bmp", ".dib", ".gif", ".heic", ".heif", ".jfif", ".jp2", ".jpe", ".jpeg", ".jpg", ".pbm",
    ".pgm", ".png", ".pnm", ".ppm", ".tga", ".tif", ".tiff", ".webp",
}
# fmt: on
SPLITS = {"train": ("train", "training"), "val": ("val", "valid", "validation"), "test": ("test", "testing")}
IN_A_NAME = re.compile(r"(?:^|[\W_])(train|val|test)", re.IGNORECASE)  # a split's word, as in train_data
MOST = 3  # maximum number of names in a list


class LeftOut(dict[str, dict[str, Any]]):
    """The unused files of a folder: {reason: {"count": number, "first": up to ten names below the folder}}.

    >>> left = LeftOut(Path("pets")); left.add("not an image", Path("pets/cat/notes.txt")); print(left)
    not an image: 1 (cat/notes.txt)
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def add(self, why: str, path: Path) -> None:
        entry = self.setdefault(why, {"count": 0, "first": []})
        entry["count"] += 1
        if entry["count"] <= 10:
            entry["first"].append(below(path, self.folder))

    def __str__(self) -> str:
        return words_of(self)


def words_of(left_out: Mapping[str, Mapping[str, Any]]) -> str:
    """A `LeftOut`, or its JSON form, as text."""
    return ", ".join(f"{why}: {one['count']:,} ({some(one['first'])})" for why, one in left_out.items())


def below(path: Path, folder: Path) -> str:
    """The readable path of a file relative to a folder."""
    return readable(path.relative_to(folder).as_posix() if path.is_relative_to(folder) else path)


def some(names: Sequence[str], most: int = MOST) -> str:
    """
    >>> some(["a", "b"]), some(list("abcde"))
    ('a, b', 'a, b, c, …')
    """
    return ", ".join([*names[:most], *(["…"] if len(names) > most else [])])


def readable(name: str | Path) -> str:
    """A file name as text that can be printed and stored, with escapes for other characters.

    >>> readable("caf\\udce9.png"), readable("new\\nline.jpg"), readable("日本.png")
    ('caf\\\\xe9.png', 'new\\\\nline.jpg', '日本.png')
    """
    text = str(name).encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    return "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in text)


def is_image(file: Path) -> bool:
    """Whether Pillow recognises the file's content as an image, under any name; the image is not decoded."""
    from PIL import Image, UnidentifiedImageError  # most commands read no image

    if not file.is_file():
        return False
    try:
        with Image.open(file):
            return True
    except (UnidentifiedImageError, OSError):
        return False
    except Exception:  # a damaged image
        return True


def shown_in(folder: Path, left_out: LeftOut | None = None) -> list[Path]:
    """The content of a folder in order of name, without hidden files and `__MACOSX`."""
    found = []
    for path in sorted(folder.iterdir()):
        if not path.name.startswith(".") and path.name != "__MACOSX":
            found.append(path)
        elif left_out is not None:
            left_out.add("hidden", path)
    return found


def files_below(
    folder: Path, left_out: LeftOut | None = None, above: tuple[tuple[int, int], ...] | None = None
) -> Iterator[Path]:
    """All files below a folder, in order of name; follows links, but not to a folder `above` (its parent folders)."""
    if above is None:
        above = tuple(map(identity, folder.absolute().parents))
    here = identity(folder)
    if here in above:
        if left_out is not None:
            left_out.add("link to a folder that it lies in", folder)
        return
    for path in shown_in(folder, left_out):
        if path.is_dir():
            yield from files_below(path, left_out, (*above, here))
        else:
            yield path


def identity(path: Path) -> tuple[int, int]:
    """An identifier of a file or folder, equal for all links to it."""
    found = path.stat()
    return found.st_dev, found.st_ino


def split_folders(images: Path, left_out: LeftOut | None = None) -> dict[str, Path]:
    """{split: folder of its class folders}, for those of train, val and test that exist.

    Without such folders, {"train": images}. A folder `train` without `val` and `test` is a split only if it is the only
    folder and holds only folders; otherwise it is a class.

    Raises:
        InputError: if two folders are named for the same split.
    """
    left_out = LeftOut(images) if left_out is None else left_out
    folders = [path for path in shown_in(images) if path.is_dir()]
    named: dict[str, Path] = {}
    for split, names in SPLITS.items():
        found = [path for path in folders if path.name.lower().removesuffix("_set") in names]
        if len(found) > 1:
            both = " and ".join(readable(path.name) for path in found)
            raise InputError(f"data.images={readable(images)} has {both}: one folder of the two is expected")
        if found:
            named[split] = found[0]
    if "train" not in named:
        return {"train": images}
    alone = len(folders) == 1 and all(path.is_dir() for path in shown_in(named["train"]))
    if not (len(named) > 1 or alone):
        return {"train": images}
    for path in shown_in(images, left_out):
        if path not in named.values():
            left_out.add("beside the splits", path)
    for split in [split for split in named if split != "train" and not class_folders(named[split])]:
        left_out.add("split without class folders", named.pop(split))
    return named


def check_no_split(images: Path) -> None:
    """Called where all class folders are taken.

    Raises:
        InputError: if folders that are called by two splits, such as train_data and test_data, hold the same folders.
    """
    folders = [path for path in shown_in(images) if path.is_dir()]
    called = {path: word[1].lower() for path in folders if (word := IN_A_NAME.search(path.name))}
    inside = [sorted(one.name for one in shown_in(path) if one.is_dir()) for path in called]
    if len(set(called.values())) > 1 and inside[0] and all(one == inside[0] for one in inside):
        names, classes = (some(list(map(readable, one))) for one in ([path.name for path in called], inside[0]))
        told = f"each of {names} holds {classes}: if these are the classes, call the splits train, val and test"
        raise InputError(f"data.images={readable(images)}: {told}; else name the classes, data.classes=[…]")


def class_folders(folder: Path) -> dict[str, Path]:
    """{class: folder} of the folders with images at any depth, sorted."""
    folders = [path for path in shown_in(folder) if path.is_dir()]
    return {class_name(path.name): path for path in folders if holds_image(path)}


def class_name(name: str) -> str:
    """The readable name of a class, equal for the two ways in which file systems write an accent."""
    return unicodedata.normalize("NFC", readable(name))


def holds_image(folder: Path) -> bool:
    """Whether there is an image below a folder; files with an image's ending are checked first."""
    others = []
    for file in files_below(folder):
        if file.suffix.lower() not in ENDINGS:
            others.append(file)
        elif is_image(file):
            return True
    return any(map(is_image, others))


def class_count(classes: Sequence[str] | None, images: str | None, default: int = 0) -> int:
    """The number of `classes`; if null, of class folders in `images` or its training folder; else `default`.

    Raises:
        InputError: if there are no class folders and `default` is 0.
    """
    if classes is not None:
        return len(classes)
    if images is None:
        return default
    folder = Path(images)
    if folder.is_dir():
        if (train := split_folders(folder)["train"]) == folder:
            check_no_split(folder)
        folder = train
        default = len(class_folders(folder)) or default
    if not default:
        raise InputError(f"data.images={readable(images)}: {what_is_there(folder)}")
    return default


def what_is_there(folder: Path) -> str:
    """The message for a folder without class folders: its content, and the expected content."""
    expected = "expected is one folder of images for each class, or train/ and test/ with such folders"
    if not folder.is_dir():
        above = next(path for path in folder.absolute().parents if path.is_dir())
        found = "this is a file" if folder.exists() else f"there is no such folder, only {readable(above)}"
        return f"{found}; {expected}"
    left_out = LeftOut(folder)
    for path in shown_in(folder, left_out):
        left_out.add("folder without an image" if path.is_dir() else "file", path)
    return f"{readable(folder.name)}/ holds {left_out or 'nothing'}; {expected}"
