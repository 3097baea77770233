"""What bf16 and the layout of a convolution's weights do to a training step on this processor.

`choose_precision` of atelier.tasks.precision follows these rows.
"""

import itertools
import statistics
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import torch
from row import Row, clock, in_turns
from torch.nn.utils import convert_conv2d_weight_memory_format
from training import CASES, ROWS, Bare, steps_of

from atelier.tasks.precision import processor_has_bf16

SEEN = {
    **{name: overrides for name, (overrides, _, _) in CASES.items()},
    "RNN of 128, MNIST's rows, batch 100": [*ROWS, "network=rnn"],
}
LAYOUTS = {"channels-last": torch.channels_last, "the usual layout": torch.contiguous_format}
LEAST = 0.5  # seconds of steps in a measurement


class Steps:
    """Seconds of a training step of a case in a precision and a layout, the median of several; called for each round.

    The weights are what they were: each call trains on.
    """

    def __init__(self, bare: Bare, bf16: bool, layout: str) -> None:
        task = bare.make()
        convert_conv2d_weight_memory_format(task.network, LAYOUTS[layout])
        inputs, labels = (side[: bare.batch_size] for side in bare.train)
        step = steps_of(task)[0]

        def one() -> None:
            with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
                step(inputs, labels)

        self.one = one
        for _ in range(3):
            one()

    def __call__(self) -> float:
        seconds = list[float]()
        while sum(seconds) < LEAST or len(seconds) < 3:
            seconds.append(clock(self.one))
        return statistics.median(seconds)


def beside(case: str, name: str, bf16: bool, layout: str, rounds: int, folder: Path) -> Row:
    bare, usual = Bare(SEEN[case], 1, folder), "the usual layout"
    return in_turns(name, f"32 bits, {usual}", Steps(bare, bf16, layout), Steps(bare, False, usual), rounds, "")


def rows(rounds: int, folder: Path) -> Iterator[tuple[str, Callable[[], Row]]]:
    last, usual = LAYOUTS
    for case in SEEN:
        layouts = (usual, last) if "cnn" in case.lower() else (usual,)
        for bf16, layout in itertools.product((False, True) if processor_has_bf16() else (False,), layouts):
            if (bf16, layout) != (False, usual):
                name = f"{'bf16, ' * bf16}{layout}: {case}"
                yield name, partial(beside, case, name, bf16, layout, rounds, folder)
