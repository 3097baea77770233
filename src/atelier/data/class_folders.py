"""Which folders of images are classes, asked without reading an image: composing a configuration counts them."""

from pathlib import Path

ENDINGS = {".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".pgm", ".ppm"}  # of image files


def split_folders(images: Path) -> dict[str, Path]:
    """{split: the folder of its class folders}; of one split only, where there are not both `train` and `test`."""
    folders = {split: images / split for split in ("train", "test")}
    return folders if all(folder.is_dir() for folder in folders.values()) else {"train": images}


def class_folders(folder: Path) -> list[str]:
    """The names of the folders that hold images, sorted; not of what tools leave, such as .git and __MACOSX."""
    return sorted(
        entry.name
        for entry in folder.iterdir()
        if entry.is_dir()
        and not entry.name.startswith((".", "__"))
        and any(file.suffix.lower() in ENDINGS for file in entry.iterdir())
    )
