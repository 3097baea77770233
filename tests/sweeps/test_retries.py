"""How often a job is begun: a retry is for its own failures, and one more attempt for what was not its fault."""

from collections.abc import Callable, Iterator

import pytest

from atelier.sweeps.run import End, Executor, Loop
from atelier.sweeps.sweep import Job, Sweep


class Told(Executor):
    """Runs nothing: the attempts of the only job end as told."""

    def __init__(self, sweep: Sweep, ends: str, retries: int) -> None:
        super().__init__(sweep, retries)
        self.ends, self.left = iter(ends.split()), False

    def full(self) -> bool:
        return self.left

    busy = full

    def start(self, job: Job) -> bool:
        self.sweep.prepare(job)
        self.left = True
        return True

    def close(self) -> None:
        """Nothing to end."""

    def ended(self) -> Iterator[End]:
        self.left = False
        yield End(self.sweep.jobs[0], "Exit", "it broke", lost=next(self.ends) == "lost")


@pytest.mark.parametrize(
    ("retries", "ends", "attempts"),
    [
        *[(0, "failed", 1), (0, "lost failed", 2), (0, "lost lost", 2)],
        *[
            (1, "failed failed", 2),
            (1, "lost failed failed", 3),
            (1, "failed lost failed", 3),
            (1, "lost lost lost", 3),
        ],
    ],
)
def test_a_lost_attempt_costs_no_retry_but_a_job_is_not_begun_for_ever(
    make_sweep: Callable[..., Sweep], retries: int, ends: str, attempts: int
) -> None:
    executor = Told(make_sweep("do=well"), ends, retries)
    assert Loop(executor).run(executor.sweep.jobs) == 0
    assert (executor.attempts, executor.sweep.status(executor.sweep.jobs[0])) == ({0: attempts}, "failed")
