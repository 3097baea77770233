"""A callback that records the L2 norm of all weights after every update (IFT6135 report, figure 2)."""

from pathlib import Path
from typing import Any

import lightning.pytorch as lightning
import torch
from lightning.pytorch.strategies import FSDPStrategy
from torch import Tensor

from atelier.callbacks.watcher import Watcher
from atelier.errors import InputError
from atelier.figures.look import look
from atelier.figures.numbers import write_numbers
from atelier.figures.palette import COLORS, write_png

FOLD = 1000  # number of scalar norms that are joined into a tensor


class WeightNorms(Watcher):
    """Draws `weight_norms.png` and writes `weight_norms.csv` (update, norm) when training ends or is interrupted.

    Until then the norms stay on the device; a checkpoint holds the norms so far. The last norm is logged together with
    the training metrics, as `train/weight_norm`. Frozen weights count, too; weights outside of the task's network, such
    as those of a feature extractor, do not.

    Raises:
        InputError: with FSDP, where each process has only a part of the weights.
    """

    def __init__(self) -> None:
        self.parts: list[Tensor] = []  # (n,) each
        self.recent: list[Tensor] = []  # scalars
        self.first = 0  # update of the first norm; above 0 if a resumed run adds the callback
        self.step = 0

    def setup(self, trainer: lightning.Trainer, task: Any, stage: str) -> None:
        if isinstance(trainer.strategy, FSDPStrategy):
            raise InputError("callbacks.weight_norms: with trainer=fsdp no process has all weights; choose another")

    def on_train_start(self, trainer: lightning.Trainer, task: Any) -> None:
        self.step = trainer.global_step
        self.weights = list(task.network.parameters())
        if not self.parts:
            self.first = trainer.global_step
            self.recent = [norm(self.weights)]

    def on_train_batch_end(
        self, trainer: lightning.Trainer, task: Any, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        if trainer.global_step == self.step:  # gradient accumulation: no update after this batch
            return
        self.step = trainer.global_step
        self.recent.append(norm(self.weights))
        if len(self.recent) == FOLD:
            self.fold()

    def fold(self) -> None:
        self.parts.append(torch.stack(self.recent))
        self.recent = []

    @property
    def norms(self) -> Tensor:
        """All norms so far, in order, on the CPU."""
        if self.recent:
            self.fold()
        return torch.cat([part.cpu() for part in self.parts])

    def on_train_epoch_end(self, trainer: lightning.Trainer, task: Any) -> None:
        if not task.counts_steps:
            self.tell(task)

    def on_validation_epoch_start(self, trainer: lightning.Trainer, task: Any) -> None:
        if task.counts_steps and trainer.state.fn == "fit":
            self.tell(task)

    def tell(self, task: Any) -> None:
        task.log("train/weight_norm", self.recent[-1] if self.recent else self.parts[-1][-1])

    def on_train_end(self, trainer: lightning.Trainer, task: Any) -> None:
        if trainer.is_global_zero and (self.parts or self.recent):
            path = Path(trainer.default_root_dir) / "figures" / "weight_norms.png"
            norms = self.norms.tolist()
            updates = range(self.first, self.first + len(norms))
            write_numbers(path.with_suffix(".csv"), ["update", "norm"], zip(updates, norms, strict=True))
            draw(updates, norms, path)

    def on_exception(self, trainer: lightning.Trainer, task: Any, error: BaseException) -> None:
        self.on_train_end(trainer, task)

    def state_dict(self) -> dict[str, Any]:
        return {"norms": self.norms, "first": self.first} if self.parts or self.recent else {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        if state:
            self.parts, self.recent, self.first = [state["norms"]], [], state["first"]


def norm(weights: list[Tensor]) -> Tensor:
    """√Σw² over all weights, summed in 64 bits (32 on MPS): a scalar on their device."""
    with torch.no_grad():
        precise = torch.float32 if weights[0].device.type == "mps" else torch.float64
        parts = [torch.linalg.vector_norm(weight, dtype=precise) for weight in weights]
        return torch.linalg.vector_norm(torch.stack(parts))


def draw(updates: range, norms: list[float], path: Path) -> None:
    from matplotlib.figure import Figure

    with look():
        figure = Figure(figsize=(7, 4), layout="constrained")
        axes = figure.subplots()
        axes.plot(updates, norms, color=COLORS[0], marker="o" if len(norms) < 3 else None)
        axes.set_xlabel("update")
        axes.set_ylabel("L2 norm of all weights")
        axes.grid(True)
        write_png(figure, path)
