"""A callback that draws the decision regions of a classifier of points in the plane (EE559 report, figure 4)."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import lightning.pytorch as lightning
import torch
from annotated_types import Ge
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from torch import Tensor

from atelier.callbacks.frames import epochs_of, looking
from atelier.callbacks.watcher import Watcher
from atelier.figures.look import look
from atelier.figures.numbers import write_numbers
from atelier.figures.palette import COLORS, write_png
from atelier.figures.panels import grid, legend_below
from atelier.metrics.predicted import predicted

SIDE = 51  # points of the grid along each axis
WORDS = {"train": "training", "val": "validation"}


class DecisionRegions(Watcher):
    """Draws `decision_regions.png` when training ends or is interrupted.

    The figure shows the training points, then the regions of the classes during the training. The last panel marks the
    misclassified validation points, or training points if there is no validation set. `decision_regions.csv` has the
    probability of class 1 at each grid point: the softmax of the outputs, which for a task that is not `confident` only
    says which class it is. Other data than points of the plane in two classes are ignored.

    Args:
        frames: number of panels with regions: before training, and after epochs that grow by a constant factor.
    """

    def __init__(self, frames: Annotated[int, Ge(2)]) -> None:
        self.frames = frames
        self.regions: dict[int, Tensor] = {}  # {epochs done: (SIDE, SIDE) probability of class 1, rows are y}

    def on_train_start(self, trainer: lightning.Trainer, task: Any) -> None:
        if trainer.global_step == 0:
            self.take(trainer, task, 0)

    def on_train_epoch_end(self, trainer: lightning.Trainer, task: Any) -> None:
        done = trainer.current_epoch + 1
        if done in due_epochs(epochs_of(trainer), self.frames):
            self.take(trainer, task, done)

    def take(self, trainer: lightning.Trainer, task: Any, done: int) -> None:
        """Store the regions after `done` epochs."""
        data = trainer.datamodule  # type: ignore[attr-defined]
        if suits(data):
            with looking(task):
                logits = task(data.normalise(places(data).to(task.device)))
            self.regions[done] = logits.float().softmax(1)[:, 1].view(SIDE, SIDE).cpu()

    def on_train_end(self, trainer: lightning.Trainer, task: Any) -> None:
        self.take(trainer, task, trainer.current_epoch)
        self.draw(trainer, task, ended=True)

    def on_exception(self, trainer: lightning.Trainer, task: Any, error: BaseException) -> None:
        self.draw(trainer, task, ended=False)

    def draw(self, trainer: lightning.Trainer, task: Any, ended: bool) -> None:
        """Draw the regions, and, where the last are those of the present network, its mistakes."""
        if not (self.regions and trainer.is_global_zero):
            return
        data = trainer.datamodule  # type: ignore[attr-defined]
        path = Path(trainer.default_root_dir) / "figures" / "decision_regions.png"
        points = places(data).tolist()
        rows = [
            (done, round(x, 4), round(y, 4), round(share, 4))
            for done, region in self.regions.items()
            for (x, y), share in zip(points, region.flatten().tolist(), strict=True)
        ]
        write_numbers(path.with_suffix(".csv"), ["epochs", "x", "y", "probability"], rows)
        split = marked(data)
        draw(self.regions, stored(data, "train"), wrong(data, task, split) if ended else None, split, path)

    def state_dict(self) -> dict[str, Any]:
        return {str(done): region for done, region in self.regions.items()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.regions = {int(done): region for done, region in state.items()}


def suits(data: Any) -> bool:
    """Whether a data set consists of points of the plane in two classes."""
    return (tuple(getattr(data, "shape", ())), getattr(data, "num_classes", None)) == ((2,), 2)


def due_epochs(epochs: int, frames: int) -> set[int]:
    """The numbers of finished epochs after which regions are stored; early regions change most.

    >>> sorted(due_epochs(100, frames=4))
    [1, 10, 100]
    """
    steps = frames - 2
    return {round(epochs ** (step / steps)) for step in range(steps + 1)} if epochs > 0 and steps else {epochs}


def stored(data: Any, split: str) -> tuple[Tensor, Tensor]:
    """All points (N, 2) and classes (N,) of a split."""
    return data.sets[split][torch.arange(len(data.sets[split]))]


def places(data: Any) -> Tensor:
    """A grid of points (SIDE · SIDE, 2) over the range of the training points, row by row."""
    points, _ = stored(data, "train")
    lines = [
        torch.linspace(*limits, SIDE) for limits in zip(points.amin(0).tolist(), points.amax(0).tolist(), strict=True)
    ]
    y, x = torch.meshgrid(lines[1], lines[0], indexing="ij")
    return torch.stack([x.flatten(), y.flatten()], 1)


def marked(data: Any) -> str:
    """The split whose misclassified points are marked: "val", or "train" if there is no validation set."""
    return "train" if torch.equal(data.sets["train"].rows, data.sets["val"].rows) else "val"


def wrong(data: Any, task: Any, split: str) -> Tensor:
    """The misclassified points (n, 2) of a split."""
    points, classes = stored(data, split)
    with looking(task):
        logits = task(data.normalise(points.to(task.device)))
    mistaken = predicted(logits) != classes.to(task.device)
    return points[mistaken.to(points.device)].cpu()


def draw(
    regions: Mapping[int, Tensor], training: tuple[Tensor, Tensor], mistakes: Tensor | None, split: str, path: Path
) -> None:
    points, classes = (part.cpu() for part in training)
    (left, low), (right, high) = points.amin(0).tolist(), points.amax(0).tolist()
    with look():
        figure, panels = grid(1 + len(regions))
        for label in (0, 1):
            x, y = points[classes == label].T.tolist()
            panels[0].scatter(x, y, s=4, color=COLORS[label])
        panels[0].set_title("training points")
        for panel, (done, region) in zip(panels[1:], sorted(regions.items()), strict=True):
            shade(panel, region, (left, right, low, high))
            panel.set_title(f"after {done} epochs" if done > 1 else "after 1 epoch" if done else "before training")
        for panel in panels:
            panel.set_aspect("equal")
            panel.set(xticks=[], yticks=[])
        if mistakes is not None:
            x, y = mistakes.T.tolist()
            panels[-1].scatter(x, y, s=30, color="black", marker="x", label=f"wrong in {WORDS[split]}")
            legend_below(figure, panels)
        write_png(figure, path, dpi=100)  # shades make large files


def shade(panel: Axes, region: Tensor, extent: tuple[float, float, float, float]) -> None:
    """Colour a panel by the probability of class 1, with a contour line at 0.5.

    Args:
        region: (SIDE, SIDE) probabilities at the points of a grid.
        extent: x of the grid's first and last column, y of its first and last row.
    """
    shades = LinearSegmentedColormap.from_list("classes", [COLORS[0], "white", COLORS[1]])
    numbers = region.numpy()
    left, right, low, high = extent
    x, y = (right - left) / (SIDE - 1) / 2, (high - low) / (SIDE - 1) / 2  # half a cell: imshow's extent is to edges
    edges = left - x, right + x, low - y, high + y
    panel.imshow(numbers, shades, origin="lower", extent=edges, vmin=0, vmax=1, interpolation="bilinear")
    if region.min() < 0.5 < region.max():
        panel.contour(numbers, levels=[0.5], extent=extent, colors="black", linewidths=1)
