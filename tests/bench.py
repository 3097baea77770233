"""`make bench`: what a full training run costs beyond a bare PyTorch loop, as ratios measured in one process.

A 784-512-512-10 MLP under Adam on 60,000 pictures of 28×28. The run goes through `src/train.py` as a user's does: loss
and accuracy in training and validation, metrics.csv, checkpoints, manifest, progress lines. The bare loop indexes float
tensors that are normalised already, trains, and passes over the validation set once per epoch; it measures nothing. It
runs with Adam as PyTorch makes it, which the limits are about, and with the fused Adam that our run has on a processor.
All take turns, and the ratio of neighbours counts, since machines are noisy.

    python tests/bench.py [rounds] [epochs]
"""

import contextlib
import io
import json
import runpy
import statistics
import sys
import tempfile
import time
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

ROOT = Path(__file__).resolve().parent.parent
LIMITS = {32: 1.25, 128: 1.10}
Split = tuple[Tensor, Tensor]  # pictures and labels


def full_run(batch_size: int, epochs: int, folder: Path) -> float:
    """Seconds of fitting, from the run's own manifest."""
    run = folder / f"run_{time.time_ns()}"
    groups = ["data=random_images", "network=mlp", "task=classifier", "~encoding", "optimizer=adam"]
    keys = [f"data.batch_size={batch_size}", f"trainer.max_epochs={epochs}", "scheduler=constant", "test=false"]
    places = [f"paths.data={folder}", f"paths.run={run}", "trainer=cpu", "callbacks=none"]
    sys.argv = [str(ROOT / "src" / "train.py"), *groups, *keys, *places]
    with contextlib.redirect_stdout(io.StringIO()):
        runpy.run_path(sys.argv[0], run_name="__main__")
    return json.loads((run / "run.json").read_text())["seconds"]["fit"]


def bare_loop(batch_size: int, epochs: int, train: Split, val: Split, fused: bool) -> float:
    """Seconds of the shortest loop that trains the same network on the same number of pictures."""
    torch.manual_seed(0)
    sizes = [(784, 512), (512, 512)]
    hidden = [layer for size in sizes for layer in (nn.Linear(*size), nn.ReLU())]
    network = nn.Sequential(nn.Flatten(), *hidden, nn.Linear(512, 10))
    optimizer = torch.optim.Adam(network.parameters(), fused=fused)
    images, labels = train
    began = time.perf_counter()
    for _ in range(epochs):
        network.train()
        for rows in torch.randperm(len(images)).split(batch_size):
            optimizer.zero_grad()
            F.cross_entropy(network(images[rows]), labels[rows]).backward()
            optimizer.step()
        network.eval()
        with torch.no_grad():
            for x, y in zip(val[0].split(1000), val[1].split(1000), strict=True):
                F.cross_entropy(network(x), y)
    return time.perf_counter() - began


def main(rounds: int = 5, epochs: int = 4) -> None:
    images, labels = torch.rand(60_000, 1, 28, 28) - 0.5, torch.randint(10, (60_000,))
    train, val = (images[:54_000], labels[:54_000]), (images[54_000:], labels[54_000:])
    print(f"{torch.get_num_threads()} threads, {rounds} rounds of {epochs} epochs each", flush=True)
    with tempfile.TemporaryDirectory() as name:
        for batch_size, limit in LIMITS.items():
            full_run(batch_size, 1, Path(name))  # warm up: imports, data set
            times = [
                (
                    full_run(batch_size, epochs, Path(name)),
                    bare_loop(batch_size, epochs, train, val, fused=False),
                    bare_loop(batch_size, epochs, train, val, fused=True),
                )
                for _ in range(rounds)
            ]
            full, bare, fused = (statistics.median(column) for column in zip(*times, strict=True))
            print(
                f"batch {batch_size:3d}: full run {full:.2f} s, "
                f"bare loop {bare:.2f} s, ratio {spread([run / loop for run, loop, _ in times])}, limit {limit}; "
                f"with fused Adam {fused:.2f} s, ratio {spread([run / loop for run, _, loop in times])}",
                flush=True,
            )


def spread(ratios: list[float]) -> str:
    """Median, smallest and largest."""
    return f"{statistics.median(ratios):.3f} ({min(ratios):.3f} to {max(ratios):.3f})"


if __name__ == "__main__":
    main(*(int(argument) for argument in sys.argv[1:]))
