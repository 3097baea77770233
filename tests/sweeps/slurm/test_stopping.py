"""A sweep on Slurm that ends before its time: by Ctrl-C, or because a job failed."""

import os
import signal
from collections.abc import Callable
from typing import Any

from atelier.sweeps.sweep import Sweep

Make = Callable[..., Sweep]


def test_ctrl_c_cancels_waits_and_starts_no_other(
    make_sweep: Make, fake_queue: Any, write: Any, run: Any, states: Any
) -> None:
    sweep = make_sweep("do=a", "do=b", "do=c")
    before = signal.getsignal(signal.SIGINT)

    def happens(number: int) -> None:
        if number == 0:
            write(sweep, 0, "running")
            os.kill(os.getpid(), signal.SIGINT)
        if number == 2:
            write(sweep, 0, "interrupted")

    waiting = "1_1 PENDING JobArrayTaskLimit\n1_2 PENDING JobArrayTaskLimit"
    gone = "1_1 CANCELLED None\n1_2 CANCELLED None"
    queue = fake_queue(
        f"1_0 RUNNING None\n{waiting}", f"1_0 COMPLETING None\n{gone}", f"1_0 CANCELLED None\n{gone}", happens=happens
    )
    cluster, _ = run(sweep, queue, jobs=list(sweep.jobs), retries=1)
    assert cluster.signal == signal.SIGINT
    assert queue.cancelled == ["1_0", "1_1", "1_2"]
    assert states(sweep) == ["interrupted", "waiting", "waiting"]
    assert sweep.conclude() == "interrupted"
    assert len(queue.arrays) == 1
    assert signal.getsignal(signal.SIGINT) is before


def test_a_second_ctrl_c_does_not_wait(make_sweep: Make, fake_queue: Any, write: Any, run: Any) -> None:
    sweep = make_sweep("do=a")

    def happens(number: int) -> None:
        write(sweep, 0, "running")
        os.kill(os.getpid(), signal.SIGINT)

    queue = fake_queue("1 RUNNING None", happens=happens)
    cluster, ended = run(sweep, queue)
    assert (cluster.signal, queue.asked, queue.cancelled, ended) == (signal.SIGINT, 2, ["1"], [])


def test_the_others_are_stopped_if_so_asked(make_sweep: Make, fake_queue: Any, write: Any, run: Any) -> None:
    sweep = make_sweep("do=a", "do=b")

    def happens(number: int) -> None:
        write(sweep, 0, "failed")
        write(sweep, 1, "running" if number == 0 else "interrupted")

    queue = fake_queue("1_0 FAILED None\n1_1 RUNNING None", "1_1 CANCELLED None", happens=happens)
    cluster, ended = run(sweep, queue, on_failure="stop")
    assert (cluster.stopping, cluster.signal, queue.cancelled) == (True, 0, ["1_1"])
    assert ended == [(0, "failed"), (1, "interrupted")]
