"""A callback that draws the filters of convolutions (IFT6135 report, figure 6; ELEC576 report, figures 2 and 4)."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import lightning.pytorch as lightning
from annotated_types import Ge
from torch import Tensor

from atelier.callbacks.layers import convolutions, pick
from atelier.callbacks.watcher import Watcher
from atelier.figures.look import look
from atelier.figures.palette import write_png
from atelier.figures.tiles import tiles

SLICES = 16  # maximum number of filters, and of their input channels, of a deeper layer


class Filters(Watcher):
    """Draws `filters_<layer>.png` when training ends, and again after testing, with the tested checkpoint's weights.

    With `task.average`, both are averages, as all that a run keeps for use.

    Filters of 1 or 3 input channels are drawn as images. For a deeper layer, a row is a filter, and a column holds its
    weights for an input channel. Zero is white, or mid-grey in colour images.

    Args:
        layers: indices of convolutions, from 0 in the order of the network; -1 is the last.
        count: maximum number of filters with 1 or 3 input channels; deeper layers show 16.

    Raises:
        InputError: if the network has no convolution with such an index.
    """

    def __init__(self, layers: Sequence[int], count: Annotated[int, Ge(1)]) -> None:
        self.layers, self.count = layers, count

    def setup(self, trainer: lightning.Trainer, task: Any, stage: str) -> None:
        self.chosen(task)

    def chosen(self, task: Any) -> dict[str, Tensor]:
        """{name of a layer: its weights (filters, input channels, h, w)}."""
        found = convolutions(task.network, "filters")
        named = dict(pick(found, index, "callbacks.filters.layers") for index in self.layers)
        return {name: layer.weight.detach().float().cpu() for name, layer in named.items()}

    def on_train_end(self, trainer: lightning.Trainer, task: Any) -> None:
        if trainer.is_global_zero:
            with task.averaged():
                for name, weights in self.chosen(task).items():
                    draw(name, weights, self.count, Path(trainer.default_root_dir) / "figures" / f"filters_{name}.png")

    def on_test_end(self, trainer: lightning.Trainer, task: Any) -> None:
        self.on_train_end(trainer, task)


def grid(weights: Tensor, count: int) -> tuple[Tensor, str]:
    """The image (H, W, 1 or 3) of weights (filters, input channels, h, w), and its description."""
    filters, channels = weights.shape[:2]
    if channels in (1, 3):
        shown = weights[:count]
        columns = min(8, len(shown)) if len(shown) <= 64 else 16
        return tiles(shown, columns), f"{len(shown)} of {filters} filters"
    shown = weights[:SLICES, :SLICES]
    rows, columns = shown.shape[:2]
    return tiles(
        shown.flatten(0, 1)[:, None], columns
    ), f"rows: {rows} of {filters} filters, columns: {columns} of {channels} input channels"


def draw(name: str, weights: Tensor, count: int, path: Path) -> None:
    from matplotlib.figure import Figure

    values, words = grid(weights, count)
    limit = float(values.nan_to_num().abs().max()) or 1.0
    height, width, channels = values.shape
    with look():
        figure = Figure(figsize=(6.4, 0.6 + 5.2 * height / width), layout="constrained")
        axes = figure.subplots()
        if channels == 3:
            axes.imshow((values / limit / 2 + 0.5).nan_to_num(nan=1.0).numpy())
        else:
            image = axes.imshow(values[..., 0].numpy(), cmap="PuOr", vmin=-limit, vmax=limit)
            figure.colorbar(image, label="weight", shrink=min(1.0, 0.8))
        axes.set_axis_off()
        axes.set_title(f"{name}: {words}", fontsize=10)
        write_png(figure, path)
