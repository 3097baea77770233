"""What a training step without autograd costs beside the same step with it: ratios measured in one process.

The same network, batch, loss and plain SGD, once from `atelier.scratch` and once from `torch.nn` and `torch.optim`. The
two take turns in blocks of steps, and the ratio of each pair of neighbours counts, since machines are noisy.

    python tests/bench_scratch.py [rounds]
"""

import itertools
import statistics
import sys
import time
from collections.abc import Callable

import torch
from torch import nn

from atelier.scratch.losses import CrossEntropy, one_hot
from atelier.scratch.mlp import MLP
from atelier.scratch.optimizers import SGD

LIMIT = 1.5
# Sizes of the layers, samples in a batch, steps in a block.
SETTINGS = [((2, 25, 25, 25, 2), 50, 300), ((784, 512, 512, 10), 128, 30)]
LR = 0.01


def scratch_step(sizes: tuple[int, ...], inputs: torch.Tensor, classes: torch.Tensor) -> Callable[[], None]:
    """One step of a network from `atelier.scratch`, one-hot encoding included."""
    network, loss = MLP(sizes[:1], sizes[-1], sizes[1:-1]), CrossEntropy()
    optimizer = SGD(network.parameters(), LR)

    def step() -> None:
        loss.forward(network.forward(inputs), one_hot(classes, sizes[-1]))
        network.backward(loss.backward())
        optimizer.step()

    return step


def autograd_step(sizes: tuple[int, ...], inputs: torch.Tensor, classes: torch.Tensor) -> Callable[[], None]:
    """One step of the same network through autograd."""
    hidden = [layer for pair in itertools.pairwise(sizes[:-1]) for layer in (nn.Linear(*pair), nn.ReLU())]
    network, loss = nn.Sequential(nn.Flatten(), *hidden, nn.Linear(*sizes[-2:])), nn.CrossEntropyLoss()
    optimizer = torch.optim.SGD(network.parameters(), LR)

    def step() -> None:
        optimizer.zero_grad()
        loss(network(inputs), classes).backward()
        optimizer.step()

    return step


def seconds(step: Callable[[], None], steps: int) -> float:
    """Seconds for one of so many steps."""
    began = time.perf_counter()
    for _ in range(steps):
        step()
    return (time.perf_counter() - began) / steps


def main(rounds: int = 20) -> None:
    print(f"{torch.get_num_threads()} threads, {rounds} rounds", flush=True)
    for sizes, batch_size, steps in SETTINGS:
        torch.manual_seed(0)
        batch = torch.randn(batch_size, sizes[0]), torch.randint(sizes[-1], (batch_size,))
        scratch, autograd = scratch_step(sizes, *batch), autograd_step(sizes, *batch)
        seconds(scratch, 10), seconds(autograd, 10)  # warm up
        pairs = [(seconds(scratch, steps), seconds(autograd, steps)) for _ in range(rounds)]
        ratios = sorted(ours / theirs for ours, theirs in pairs)
        ours, theirs = (1e6 * statistics.median(column) for column in zip(*pairs, strict=True))
        print(
            f"{'-'.join(map(str, sizes))}, batch {batch_size:3d}: scratch {ours:.0f} µs, autograd {theirs:.0f} µs, "
            f"ratio {statistics.median(ratios):.3f} ({ratios[0]:.3f} to {ratios[-1]:.3f}), limit {LIMIT}",
            flush=True,
        )


if __name__ == "__main__":
    main(*(int(argument) for argument in sys.argv[1:]))
