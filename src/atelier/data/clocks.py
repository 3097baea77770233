"""Images of an analog clock, labelled with their times: rendered, or the Leiden course's arrays."""

import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
from annotated_types import Ge, MultipleOf
from rich.progress import Progress
from torch import Tensor

from atelier.arguments import Seed
from atelier.data.arrays import load_array
from atelier.data.cache import checksum_of_places
from atelier.data.clock_renderer import render
from atelier.data.clock_scene import draw_scenes
from atelier.data.images import ImageData
from atelier.data.split import with_test_part
from atelier.errors import InputError

TIMES = 720  # number of times on a clock: 12 hours of 60 minutes
TEST_SHARE = 0.1
DRAWING = sorted(Path(__file__).parent.glob("*clock*.py"))  # the modules that draw clocks, this one too
# Fields of `Scene` for a white wall clock with black hands and numerals, and a dark rim.
WALL_CLOCK = {
    **{"face": 0, "paper": 0.9, "ink": 0.08, "hand": 0.05, "rim": 0.15, "rim_width": 0.09},
    **{"length": (0.5, 0.85), "width": (0.1, 0.06), "taper": (0.8, 0.5), "shoulder": 0.5},
}


def times_of(minutes: Tensor) -> Tensor:
    """Minutes since 12 o'clock (N,) as times (N, 2), hour 0–11 and minute 0–59."""
    return torch.stack([minutes // 60, minutes % 60], 1)


class ClockData(ImageData):
    """Base class of clocks: labels are times (N, 2), hour 0–11 and minute 0–59."""

    fit = "pad"  # a crop would cut off hands, and a squeeze would turn them

    @property
    def stamp(self) -> str:
        """A checksum of the modules that draw: after a change of one, the clocks are drawn anew."""
        return f"{zlib.crc32(b''.join(module.read_bytes() for module in DRAWING)):08x}"

    def fake_labels(self, count: int, generator: torch.Generator) -> Tensor:
        return times_of(torch.randint(TIMES, (count,), generator=generator))


class Clocks(ClockData):
    """Rendered photographs of a clock, equally many for each time; a tenth is the test set.

    Args:
        image_size: side of the square images in pixels.
        num_images: total number, a multiple of 720 and at least 2160.
        render_seed: seed of the scenes.
        **options: see `ImageData`.
    """

    scene: Mapping[str, Any] = {}  # fields of `Scene` that are equal in all images

    def __init__(
        self,
        image_size: Annotated[int, Ge(32)],
        num_images: Annotated[int, Ge(3 * TIMES), MultipleOf(TIMES)],
        render_seed: Seed,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        self.image_size, self.num_images, self.render_seed = image_size, num_images, render_seed

    @property
    def cache_name(self) -> str:
        return f"clocks_{self.image_size}px_{self.num_images}_seed{self.render_seed}"

    def make(self) -> tuple[dict[str, Tensor], None]:
        times = times_of(torch.arange(self.num_images) % TIMES)
        scenes = draw_scenes(times, torch.Generator().manual_seed(self.render_seed), **self.scene)
        with Progress(transient=True) as progress:
            task = progress.add_task(f"Rendering {self.num_images:,} clocks", total=self.num_images)
            images = render(scenes, self.image_size, progress=lambda count: progress.advance(task, count))
        return with_test_part(images, times, TEST_SHARE, self.render_seed), None


class WallClock(Clocks):
    """Photographs of a single wall clock, like those of the Leiden course: position, rotation, tilt and light vary."""

    scene = WALL_CLOCK

    @property
    def cache_name(self) -> str:
        return super().cache_name.replace("clocks", "wall_clock")


class ClockArrays(ClockData):
    """The course's arrays: `images` (N, H, W) uint8, `labels` (N, 2), hour 0–11 and minute 0–59; a tenth for the test.

    The format is that of the course's public description; the report does not state it.

    Args:
        images, labels: the two .npy files.
        **options: see `ImageData`.
    """

    of_own_files = True

    def __init__(self, images: str, labels: str, **options: Any) -> None:
        super().__init__(**options)
        self.images_file, self.labels_file = Path(images), Path(labels)

    def check_can_make(self) -> None:
        self.files()

    @property
    def stamp(self) -> str:
        stamps = [f"{file.stat().st_size:x}-{file.stat().st_mtime_ns:x}" for file in self.files()]
        return "clocks_npy_" + "_".join(stamps)

    @property
    def cache_name(self) -> str:
        """The name follows the files' places too, since others may have equal sizes and times."""
        return f"{self.stamp}_{checksum_of_places(self.folder, *self.files())}"

    def files(self) -> list[Path]:
        for key, file in (("images", self.images_file), ("labels", self.labels_file)):
            if not file.is_file():
                raise InputError(f"data.{key}={file}: there is no such file")
        return [self.images_file, self.labels_file]

    def make(self) -> tuple[dict[str, Tensor], None]:
        self.files()
        images = load_array("images", self.images_file)
        labels = load_array("labels", self.labels_file)
        if images.ndim != 3 or images.dtype != np.uint8:
            raise InputError(f"data.images={self.images_file}: need (N, H, W) uint8, found {describe(images)}")
        if labels.shape != (len(images), 2) or not np.issubdtype(labels.dtype, np.integer):
            needed = f"({len(images)}, 2) whole numbers, hour and minute"
            raise InputError(f"data.labels={self.labels_file}: need {needed}, found {describe(labels)}")
        for column, (word, limit) in enumerate((("hours", 12), ("minutes", 60))):
            low, high = labels[:, column].min(), labels[:, column].max()
            if low < 0 or high >= limit:
                raise InputError(
                    f"data.labels={self.labels_file}: {word} must be 0 to {limit - 1}, found {low} to {high}"
                )
        times = torch.from_numpy(labels.astype(np.int64))
        return with_test_part(torch.from_numpy(images)[:, None], times, TEST_SHARE, seed=0), None


def describe(array: np.ndarray) -> str:
    return f"{array.shape} {array.dtype}"
