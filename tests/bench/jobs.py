"""Whether a sweep is faster with two jobs of one thread, or with one job of two threads."""

import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import torch
from row import Row
from training import CASES, Bare, steps_of

SECONDS = 6.0  # of steps


def count_steps(case: str, threads: int, folder: Path) -> None:
    """Print the number of training steps of a case in `SECONDS`, which begin when a line comes from standard input."""
    torch.set_num_threads(threads)
    bare = Bare(CASES[case][0], 1, folder)
    step = steps_of(bare.make())[0]
    inputs, labels = (side[: bare.batch_size] for side in bare.train)
    step(inputs, labels)
    print("ready", flush=True)
    input()
    end, done = time.perf_counter() + SECONDS, 0
    while time.perf_counter() < end:
        step(inputs, labels)
        done += 1
    print(done)


def together(case: str, jobs: int, threads: int, folder: Path) -> float:
    """The steps that processes side by side do together in a second."""
    words = [sys.executable, __file__, case, str(threads), str(folder)]
    started = [
        subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        for _ in range(jobs)
    ]
    for process in started:
        while process.stdout and (line := process.stdout.readline()) != "ready\n":
            if not line:
                raise RuntimeError(f"python {' '.join(words[1:])} has ended")
    for process in started:
        assert process.stdin
        process.stdin.write("\n")
        process.stdin.flush()
    return sum(int(process.communicate()[0]) for process in started) / SECONDS


def beside(case: str, name: str, rounds: int, folder: Path) -> Row:
    pairs = [(together(case, 2, 1, folder), together(case, 1, 2, folder)) for _ in range(rounds)]
    steps = " and ".join(f"{statistics.median(column):.3g}" for column in zip(*pairs, strict=True))
    return Row(name, "one job, two threads", [mine / theirs for mine, theirs in pairs], "", f"{steps} steps a second")


def rows(rounds: int, folder: Path) -> Iterator[tuple[str, Callable[[], Row]]]:
    for case in CASES:
        name = f"steps of two jobs, one thread each: {case}"
        yield name, partial(beside, case, name, rounds, folder)


if __name__ == "__main__":
    count_steps(sys.argv[1], int(sys.argv[2]), Path(sys.argv[3]))
