"""Statistics of the activations of convolutions on the test set (tables of the ELEC576 report)."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import lightning.pytorch as lightning
import torch
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from torch import Tensor

from atelier.callbacks.layers import Site, convolutions, listening, one_network, sites, trace
from atelier.callbacks.watcher import Watcher
from atelier.figures.look import look
from atelier.figures.numbers import write_numbers
from atelier.figures.palette import COLORS, write_png

COLUMNS = ("layer", "measured after", "channels", "mean", "std", "sparsity", "dead")


@dataclass(frozen=True)
class Statistics:
    """Statistics of all activations of a layer, over samples, channels and positions.

    Args:
        layer: the convolution's name.
        after: class of the layer whose output was measured: the activation, or the convolution itself.
        channels: number of channels.
        std: standard deviation, divided by n.
        sparsity: share of exact zeros, 0 to 1.
        dead: number of channels that are zero at all positions of all samples.
    """

    layer: str
    after: str
    channels: int
    mean: float
    std: float
    sparsity: float
    dead: int


class ActivationStatistics(Watcher):
    """Prints a table, writes `activation_statistics.csv` and draws `activation_statistics.png` after testing.

    The activations of a convolution are the outputs of the activation function that follows it, at once or after
    normalisation or dropout; behind anything else, such as a pool, its own outputs are measured, and are called so.

    Raises:
        InputError: if the network has no convolutions, or the task has several networks.
    """

    def __init__(self) -> None:
        self.sites: list[Site] = []
        self.parts: list[list[Tensor]] = []  # for each layer and batch the result of `sums`

    def setup(self, trainer: lightning.Trainer, task: Any, stage: str) -> None:
        convolutions(one_network(task, "activation_statistics"), "activation_statistics")

    def on_test_batch_end(
        self,
        trainer: lightning.Trainer,
        task: Any,
        outputs: Any,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        if not self.sites:
            self.sites = sites(trace(task.network, batch[0][:1]))
            self.parts = [[] for _ in self.sites]
        with listening(self.sites, self.hear):
            task.network(batch[0])

    def hear(self, index: int, output: Tensor) -> None:
        self.parts[index].append(sums(output))

    def on_test_epoch_end(self, trainer: lightning.Trainer, task: Any) -> None:
        found = []
        for site, parts in zip(self.sites, self.parts, strict=True):
            total = torch.stack(parts).sum(0)
            total = trainer.strategy.reduce(total, reduce_op="sum").cpu()
            found.append(summary(site, total))
        self.sites, self.parts = [], []
        if trainer.is_global_zero:
            path = Path(trainer.default_root_dir) / "figures" / "activation_statistics.png"
            write_numbers(path.with_suffix(".csv"), COLUMNS, [list(vars(one).values()) for one in found])
            show(found)
            draw(found, path)


def sums(activations: Tensor) -> Tensor:
    """Count, sum, sum of squares and number of zeros of each channel, (C, 4), for activations (N, C, H, W)."""
    precise = torch.float32 if activations.device.type == "mps" else torch.float64
    values = activations.detach().transpose(0, 1).flatten(1)  # (C, N·H·W)
    number = torch.full((len(values),), values.shape[1], device=values.device)
    square = torch.linalg.vector_norm(values, dim=1, dtype=precise).square()
    return torch.stack([number.to(precise), values.sum(1, dtype=precise), square, (values == 0).sum(1).to(precise)], 1)


def summary(site: Site, total: Tensor) -> Statistics:
    """The statistics of a layer, from the `sums` (C, 4) of all its activations."""
    number, values, squares, zeros = total.sum(0).tolist()
    mean = values / number
    return Statistics(
        layer=site.name,
        after=type(site.layer).__name__,
        channels=len(total),
        mean=mean,
        std=max(squares / number - mean * mean, 0.0) ** 0.5,  # in this order, NaN stays
        sparsity=zeros / number,
        dead=int((total[:, 3] == total[:, 0]).sum()),
    )


def show(found: list[Statistics]) -> None:
    table = Table(*COLUMNS, box=SIMPLE_HEAD, title="activations of the convolutions", title_justify="left")
    for one in found:
        numbers = (f"{one.mean:.4g}", f"{one.std:.4g}", f"{100 * one.sparsity:.1f} %", str(one.dead))
        table.add_row(one.layer, one.after, str(one.channels), *numbers)
    Console(markup=False, emoji=False).print(table)


def draw(found: list[Statistics], path: Path) -> None:
    """Draw mean ± standard deviation, sparsity and the share of dead channels, a row for each layer."""
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    layers = [one.layer if one.after != "Conv2d" else f"{one.layer} (before its activation)" for one in found]
    rows = range(len(found))
    with look():
        figure = Figure(figsize=(9, 1.6 + 0.42 * len(found)), layout=ConstrainedLayoutEngine(w_pad=0.15))
        left, middle, right = figure.subplots(1, 3, sharey=True)
        left.errorbar(
            [one.mean for one in found], rows, xerr=[one.std for one in found], fmt="o", color=COLORS[0], capsize=4
        )
        left.axvline(0, color="#444444", linewidth=1)
        middle.barh(rows, [100 * one.sparsity for one in found], height=0.6, color=COLORS[4])
        right.barh(rows, [100 * one.dead / one.channels for one in found], height=0.6, color=COLORS[1])
        for axes, title in ((left, "mean ± std"), (middle, "zeros (%)"), (right, "dead channels (%)")):
            axes.set_xlabel(title)
            axes.grid(True, axis="x")
        for axes in (middle, right):
            axes.set_xlim(0, 100)
        for row, one in zip(rows, found, strict=True):
            share = 100 * one.dead / one.channels
            side = {"xytext": (4, 0), "ha": "left"} if share < 50 else {"xytext": (-4, 0), "ha": "right"}
            right.annotate(
                f"{one.dead} of {one.channels}", (share, row), textcoords="offset points", va="center", **side
            )
        left.set_yticks(rows, layers)
        left.set_ylim(len(found) - 0.5, -0.5)
        write_png(figure, path)
