"""What a training step without autograd costs beside the same step with it.

The same network, batch, loss and plain SGD, once from `atelier.scratch` and once from `torch.nn` and `torch.optim`, in
blocks of steps.
"""

import itertools
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import torch
from row import Row, clock, in_turns
from torch import nn

from atelier.scratch.losses import CrossEntropy, one_hot
from atelier.scratch.mlp import MLP
from atelier.scratch.optimizers import SGD

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


def beside_autograd(name: str, sizes: tuple[int, ...], batch_size: int, steps: int, rounds: int) -> Row:
    torch.manual_seed(0)
    batch = torch.randn(batch_size, sizes[0]), torch.randint(sizes[-1], (batch_size,))
    scratch, autograd = scratch_step(sizes, *batch), autograd_step(sizes, *batch)

    def block(step: Callable[[], None]) -> float:
        return clock(lambda: [step() for _ in range(steps)]) / steps

    scratch(), autograd()  # warm up
    return in_turns(name, "with autograd", partial(block, scratch), partial(block, autograd), 4 * rounds, "at most 1.5")


def rows(rounds: int, folder: Path) -> Iterator[tuple[str, Callable[[], Row]]]:
    for sizes, batch_size, steps in SETTINGS:
        name = f"a step without autograd, {'-'.join(map(str, sizes))}, batch {batch_size}"
        yield name, partial(beside_autograd, name, sizes, batch_size, steps, rounds)
