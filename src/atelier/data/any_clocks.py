"""Clocks of many looks, drawn at random; the styles of the test set are held out from training."""

from typing import Annotated, Any, Literal

import torch
from annotated_types import Ge, Interval, MultipleOf
from rich.progress import Progress
from torch import Tensor

from atelier.arguments import Seed
from atelier.data.clock_photos import photograph_clocks
from atelier.data.clock_styles import HELD_OUT, TRAINING
from atelier.data.clocks import TIMES, ClockData, times_of

STYLES = {"training": TRAINING, "held_out": HELD_OUT}


class AnyClocks(ClockData):
    """Photographs of clocks of another look each, equally many for each time.

    The test set is drawn from the held-out styles of `clock_styles`, and has the same pictures whatever those for
    training are.

    Args:
        image_size: side of the square images in pixels.
        num_images: number of images for training and validation, a multiple of 720, at least 1440.
        test_images: number of test images, a multiple of 720.
        styles: the styles of the images for training and validation, "training" or "held_out".
        unmarked: share of dials that do not show which way is up, among the images for training and validation.
        test_unmarked: the same share among the test images.
        render_seed: seed of the images.
        **options: see `ImageData`.
    """

    split_keys = (*ClockData.split_keys, "num_images")

    def __init__(
        self,
        image_size: Annotated[int, Ge(32)],
        num_images: Annotated[int, Ge(2 * TIMES), MultipleOf(TIMES)],
        test_images: Annotated[int, Ge(TIMES), MultipleOf(TIMES)],
        styles: Literal["training", "held_out"],
        unmarked: Annotated[float, Interval(ge=0, le=1)],
        test_unmarked: Annotated[float, Interval(ge=0, le=1)],
        render_seed: Seed,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        self.image_size, self.num_images, self.test_images = image_size, num_images, test_images
        self.styles, self.unmarked, self.test_unmarked, self.render_seed = styles, unmarked, test_unmarked, render_seed

    @property
    def cache_name(self) -> str:
        train = f"{self.num_images}_{self.styles}_{self.unmarked:g}"
        test = f"{self.test_images}_{self.test_unmarked:g}"
        return f"any_clocks_{self.image_size}px_{train}_test_{test}_seed{self.render_seed}"

    def make(self) -> tuple[dict[str, Tensor], None]:
        total = self.num_images + self.test_images
        tensors = {}
        with Progress(transient=True) as progress:
            task = progress.add_task(f"Drawing {total:,} clocks", total=total)
            # Seeds two apart, so that neither part of one `render_seed` is a part of another.
            parts = (
                ("train", self.num_images, self.styles, self.unmarked, 0),
                ("test", self.test_images, "held_out", self.test_unmarked, 1),
            )
            for part, count, styles, unmarked, offset in parts:
                times = times_of(torch.arange(count) % TIMES)
                tensors[f"{part}_images"] = photograph_clocks(
                    times,
                    STYLES[styles],
                    self.image_size,
                    2 * self.render_seed + offset,
                    unmarked,
                    progress=lambda drawn: progress.advance(task, drawn),
                )
                tensors[f"{part}_labels"] = times
        return tensors, None
