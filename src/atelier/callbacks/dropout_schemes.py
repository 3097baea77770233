"""A callback that compares three ways to evaluate a network with dropout (IFT6135 report, figure 3).

They are: scaled weights without dropout; the mean over masks of the logits; the mean over masks of the probabilities.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import lightning.pytorch as lightning
import torch
from annotated_types import Ge, MinLen
from torch import Tensor, nn

from atelier.arguments import Seed
from atelier.callbacks.evaluated import need_logits, tested_set
from atelier.callbacks.watcher import Watcher
from atelier.errors import InputError
from atelier.figures.look import look
from atelier.figures.numbers import write_numbers
from atelier.figures.palette import COLORS, DASHES, MARKERS, write_png
from atelier.metrics.predicted import predicted

DROPOUTS = (nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.Dropout3d, nn.AlphaDropout, nn.FeatureAlphaDropout)
SCHEMES = ("scaled weights", "mean before softmax", "mean after softmax")


class DropoutSchemes(Watcher):
    """Draws `dropout_schemes.png`, the accuracy of each scheme, after testing; `dropout_schemes.csv` has the errors.

    It logs `test/before_softmax/<n>` and `test/after_softmax/<n>`, the accuracies of means over n masks, beside
    `test/accuracy` with scaled weights.

    Torch's dropout scales the kept units in training, so that every ordinary evaluation uses scaled weights. Each
    sample has its own masks. All other layers stay in evaluation mode.

    Args:
        masks: numbers of masks over which means are taken.
        seed: seed of the masks, which also depend on the batches.

    Raises:
        InputError: if the network has no dropout of torch's, or the task is no classifier.
    """

    def __init__(self, masks: Annotated[Sequence[Annotated[int, Ge(1)]], MinLen(1)], seed: Seed) -> None:
        self.masks, self.seed = sorted(set(masks)), seed
        self.wrong: Tensor | None = None  # (len(masks), schemes): errors so far
        self.samples = 0

    def setup(self, trainer: lightning.Trainer, task: Any, stage: str) -> None:
        if not hasattr(task, "test_confusion"):
            raise InputError("callbacks.dropout_schemes: only for classifiers, which count in test_confusion")
        if not dropouts(task.network):
            raise InputError(
                f"callbacks.dropout_schemes: the network {type(task.network).__name__} has no dropout of torch's; "
                "give network.dropout=0.5 (scratch_mlp has only its own)"
            )

    def on_test_batch_end(
        self,
        trainer: lightning.Trainer,
        task: Any,
        outputs: Any,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        logits, classes = need_logits(outputs, "dropout_schemes")
        seed = ((self.seed * 1_000_003 + batch_idx) * trainer.world_size + trainer.global_rank) % 2**64
        with seeded(seed, classes.device), trainer.precision_plugin.test_step_context():  # all schemes in one precision
            wrong = errors(task, batch[0], classes, self.masks)  # reads images as the test does, such as mirrored
        wrong[:, 0] = (predicted(logits) != classes).sum()
        self.wrong = wrong if self.wrong is None else self.wrong + wrong
        self.samples += len(classes)

    def on_test_epoch_end(self, trainer: lightning.Trainer, task: Any) -> None:
        assert self.wrong is not None
        counts = torch.cat([self.wrong.flatten(), self.wrong.new_tensor([self.samples])])
        counts = trainer.strategy.reduce(counts, reduce_op="sum").cpu().double()
        shares = counts[:-1].view(-1, len(SCHEMES)) / counts[-1]
        self.wrong, self.samples = None, 0
        for masks, (_, before, after) in zip(self.masks, 1 - shares, strict=True):
            task.log_dict({f"test/before_softmax/{masks}": before, f"test/after_softmax/{masks}": after})
        if trainer.is_global_zero:
            path = Path(trainer.default_root_dir) / "figures" / "dropout_schemes.png"
            rows = [[masks, *row] for masks, row in zip(self.masks, shares.tolist(), strict=True)]
            write_numbers(path.with_suffix(".csv"), ["masks", *SCHEMES], rows)
            draw(self.masks, shares.tolist(), path, tested_set(trainer))


def dropouts(network: nn.Module) -> list[nn.Module]:
    """The dropout layers with a rate above 0, and the blocks of transformers that have such layers.

    In evaluation mode, such a block drops no weights of its attention, and may leave out its dropout layers.
    """
    found = [layer for layer in network.modules() if isinstance(layer, DROPOUTS) and layer.p > 0]
    blocks = [layer for layer in network.modules() if isinstance(layer, nn.TransformerEncoderLayer)]
    return found + [block for block in blocks if block.dropout.p > 0]


def errors(network: nn.Module, inputs: Tensor, classes: Tensor, masks: Sequence[int]) -> Tensor:
    """Numbers of wrong predictions (len(masks), 3), a column for each of SCHEMES; the first column stays 0.

    Args:
        network: a network or a task in evaluation mode, which maps inputs (N, …) to logits (N, C).
        classes: (N,) true classes.
        masks: increasing numbers of masks; a mean over more masks includes the masks of the smaller means.
    """
    wrong = torch.zeros(len(masks), len(SCHEMES), device=classes.device)
    before = after = torch.zeros((), device=classes.device)
    with dropping(network):
        for number in range(1, masks[-1] + 1):
            logits = network(inputs).float()
            before, after = before + logits, after + logits.softmax(1)
            if number in masks:
                row = wrong[masks.index(number)]
                row[1], row[2] = ((predicted(total) != classes).sum() for total in (before, after))
    return wrong


@contextmanager
def dropping(network: nn.Module) -> Iterator[None]:
    """Inside this context, dropout is active as in training."""
    layers = dropouts(network)
    for layer in layers:
        layer.train()
    try:
        yield
    finally:
        for layer in layers:
            layer.eval()


@contextmanager
def seeded(seed: int, device: torch.device) -> Iterator[None]:
    """Inside this context, random numbers start from `seed`; afterwards the previous state is restored."""
    with torch.random.fork_rng([device] if device.type == "cuda" else []):
        torch.manual_seed(seed)
        yield


def draw(masks: Sequence[int], shares: Sequence[Sequence[float]], path: Path, split: str = "test") -> None:
    from matplotlib.figure import Figure
    from matplotlib.ticker import NullLocator

    with look():
        figure = Figure(figsize=(7, 4.4), layout="constrained")
        axes = figure.subplots()
        for index, (scheme, values) in enumerate(zip(SCHEMES, zip(*shares, strict=True), strict=True)):
            percents = [100 * (1 - value) for value in values]
            if index == 0:  # scaled weights use no masks
                axes.axhline(percents[0], label=scheme, color=COLORS[6], linestyle=DASHES[0])
            else:
                axes.plot(masks, percents, label=scheme, color=COLORS[index - 1], marker=MARKERS[index - 1])
        axes.set_xscale("log")
        axes.set_xticks(masks, [str(number) for number in masks])
        axes.xaxis.set_minor_locator(NullLocator())
        axes.set_xlabel("number of dropout masks")
        axes.set_ylabel(f"{split} accuracy (%)")
        axes.grid(True)
        axes.legend()
        write_png(figure, path)
