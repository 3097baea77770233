"""How many jobs are in Slurm's queue at once: arrays for each kind, a limit over all, a search's next job."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from atelier.sweeps.run import Loop
from atelier.sweeps.slurm_queue import Needs, SlurmSettings
from atelier.sweeps.sweep import Job, Sweep

Make = Callable[..., Sweep]


def of_two_kinds(sweep: Sweep) -> Sweep:
    for job in sweep.jobs[2:]:
        job.facts["devices"] = 2
    return sweep


def test_without_a_limit_there_is_an_array_for_each_kind_at_once(
    make_sweep: Make, fake_queue: Any, write: Any, run: Any
) -> None:
    sweep = of_two_kinds(make_sweep(*["do=a"] * 5))
    run(sweep, queue := fake_queue("", happens=lambda n: [write(sweep, n, "completed") for n in range(5)]))
    assert queue.arrays == [(Needs(1, 1, 0), [0, 1], 2), (Needs(1, 2, 0), [2, 3, 4], 3)]


def test_the_limit_holds_over_jobs_of_two_kinds(make_sweep: Make, fake_queue: Any, write: Any, slurm: Any) -> None:
    sweep = of_two_kinds(make_sweep(*["do=a"] * 5))
    most = 0

    def happens(number: int) -> None:
        nonlocal most
        most = max(most, len(executor.submitted))
        write(sweep, number, "completed")

    names = ["1_0", "1_1", "2", "3", "4"]
    answers = ["\n".join(f"{name} RUNNING None" for name in names[number + 1 :]) for number in range(5)]
    queue = fake_queue(*answers, happens=happens)
    executor = slurm(sweep, queue, SlurmSettings(jobs=2))
    Loop(executor).run(sweep.jobs)
    assert [numbers for _, numbers, _ in queue.arrays] == [[0, 1], [2], [3], [4]]
    assert most == 2


def test_a_list_is_one_array_with_the_limit(make_sweep: Make, fake_queue: Any, write: Any, run: Any) -> None:
    sweep = make_sweep(*["do=a"] * 4)
    queue = fake_queue("", happens=lambda n: [write(sweep, n, "completed") for n in range(4)])
    run(sweep, queue, jobs=sweep.jobs, jobs_at_once=3)
    assert queue.arrays == [(Needs(1, 1, 0), [0, 1, 2, 3], 3)]


@pytest.mark.parametrize(("limit", "names"), [(None, ["1", "2", "3", "4"]), (2, ["1_0", "1_1", "2", "3"])])
def test_a_search_is_asked_for_its_next_job_when_there_is_a_place(
    make_sweep: Make, limit: int | None, names: list[str], fake_queue: Any, write: Any, slurm: Any
) -> None:
    sweep = make_sweep(*["do=a"] * 4)
    asked: list[tuple[int, int]] = []  # a job, and how many ends were known when it was asked for
    known: list[int] = []

    def jobs() -> Iterator[Job]:
        for job in sweep.jobs:
            asked.append((job.number, len(known)))
            yield job

    answers = ["\n".join(f"{name} RUNNING None" for name in names[number + 1 :]) for number in range(4)]
    queue = fake_queue(*answers, happens=lambda n: write(sweep, n, "completed"))
    sweep.manifest.update(search={"trials": 4})
    Loop(slurm(sweep, queue, SlurmSettings(jobs=limit))).run(jobs(), lambda job, status: known.append(job.number))
    assert known == [0, 1, 2, 3]
    assert asked == [(number, max(0, number - (limit or 1) + 1)) for number in range(4)]
