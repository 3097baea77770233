"""Jobs that outlived their sweep: a resumed one waits for them and starts none of them twice."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from atelier.errors import InputError
from atelier.sweeps.run import Loop
from atelier.sweeps.slurm_queue import Needs, left_in_queue, read_squeue
from atelier.sweeps.sweep import Job, Sweep
from atelier.sweeps.watch import last_words

Make = Callable[..., Sweep]


@pytest.fixture
def in_queue(monkeypatch: pytest.MonkeyPatch) -> Callable[[str | None], None]:
    """Makes what squeue says when a sweep is opened again."""

    def make(text: str | None) -> None:
        found = None if text is None else read_squeue(text)
        monkeypatch.setattr("atelier.sweeps.slurm_queue.ask_squeue", lambda names: found)

    return make


def test_a_job_in_the_queue_is_waited_for_and_not_started_twice(
    make_sweep: Make, in_queue: Any, fake_queue: Any, write: Any, run: Any
) -> None:
    sweep = make_sweep("do=a", "do=b", "do=c")
    sweep.manifest.update(slurm={"70_0": 0, "70_1": 1, "70_2": 2})
    in_queue("70_0 RUNNING None\n70_1 PENDING Resources\n70_2 FAILED NonZeroExitCode\n")

    def happens(number: int) -> None:
        for job in range(3):
            write(sweep, job, "completed")

    _, ended = run(sweep, queue := fake_queue("", happens=happens))
    assert queue.arrays == [(Needs(1, 1, 0), [2], 1)]
    assert sorted(ended) == [(0, "completed"), (1, "completed"), (2, "completed")]


@pytest.mark.parametrize(("limit", "asked"), [(None, 0), (1, 2)])
def test_with_a_limit_what_is_missing_waits_for_the_jobs_in_the_queue(
    make_sweep: Make, in_queue: Any, limit: int | None, asked: int, fake_queue: Any, write: Any, run: Any, states: Any
) -> None:
    sweep = make_sweep("do=a", "do=b")
    sweep.manifest.update(slurm={"70_0": 0})
    in_queue("70_0 RUNNING None")
    asked_before: list[int] = []

    class Noting(fake_queue):
        def submit(self, needs: Needs, jobs: list[Job], at_once: int) -> list[str]:
            asked_before.append(self.asked)
            return super().submit(needs, jobs, at_once)

    def happens(number: int) -> None:
        if number:
            write(sweep, number - 1, "completed")

    queue = Noting("70_0 RUNNING None\n1 RUNNING None", "1 RUNNING None", "", happens=happens)
    run(sweep, queue, jobs=list(sweep.jobs), jobs_at_once=limit)
    assert asked_before == [asked]
    assert states(sweep) == ["completed", "completed"]


def test_a_job_that_was_ending_goes_on_afterwards(
    make_sweep: Make, in_queue: Any, fake_queue: Any, write: Any, run: Any
) -> None:
    sweep = make_sweep("do=a")
    write(sweep, 0, "running")
    sweep.manifest.update(slurm={"70": 0})
    in_queue("70 COMPLETING None")

    def happens(number: int) -> None:
        write(sweep, 0, "completed" if number else "interrupted")

    _, ended = run(sweep, queue := fake_queue("70 CANCELLED None", "1 COMPLETED None", happens=happens))
    assert [numbers for _, numbers, _ in queue.arrays] == [[0]]
    assert ended == [(0, "completed")]


def test_if_slurm_cannot_tell_nothing_is_started(make_sweep: Make, in_queue: Any, fake_queue: Any, run: Any) -> None:
    sweep = make_sweep("do=a")
    sweep.manifest.update(slurm={"70": 0})
    in_queue(None)
    with pytest.raises(InputError, match="may still be in Slurm's queue, and squeue does not answer"):
        run(sweep, fake_queue(""))


def test_a_sweep_without_slurm_asks_nothing(make_sweep: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("atelier.sweeps.slurm_queue.ask_squeue", lambda names: pytest.fail("squeue was asked"))
    assert left_in_queue(make_sweep("do=a")) == {}


def test_jobs_in_the_queue_are_not_done_here_too(make_sweep: Make, in_queue: Any, program: Path, states: Any) -> None:
    from atelier.sweeps.local import Limits, Local

    sweep = make_sweep("do=well", "do=well")
    sweep.manifest.update(slurm={"70_0": 0, "70_1": 1})
    in_queue("70_0 COMPLETED None\n70_1 PENDING Priority")
    assert left_in_queue(sweep) == {1: ("70_1", "PENDING")}
    with pytest.raises(InputError, match="still in Slurm's queue: 1\n"):
        Loop(Local(sweep, program, Limits())).run(iter(sweep.jobs))
    assert (states(sweep), sweep.content["status"]) == (["waiting", "waiting"], "interrupted")


def test_jobs_stay_when_slurm_takes_no_more(make_sweep: Make, fake_queue: Any, run: Any) -> None:
    sweep = make_sweep(*["do=a"] * 3)
    sweep.jobs[2].facts["devices"] = 2  # in an array of its own

    class Refusing(fake_queue):
        def submit(self, needs: Needs, jobs: list[Job], at_once: int) -> list[str]:
            if self.arrays:
                raise InputError("Slurm refuses the jobs: too many")
            return super().submit(needs, jobs, at_once)

    with pytest.raises(InputError) as error:
        run(sweep, queue := Refusing("1_0 RUNNING None\n1_1 RUNNING None"))
    first, second = str(error.value).splitlines()
    assert first == "Slurm refuses the jobs: too many"
    assert second == f"2 jobs stay in Slurm's queue; sweep.resume={sweep.path} hydra/launcher=slurm waits for them"
    assert queue.cancelled == []


def test_the_last_words_name_the_cluster_that_goes_on(make_sweep: Make) -> None:
    sweep = make_sweep("do=a")
    sweep.manifest.update(launcher=["hydra/launcher=slurm", "hydra.launcher.setup=[module load cuda]"])
    assert last_words(sweep) == [
        "Go on with: python src/train.py -m hydra/launcher=slurm "
        f"'hydra.launcher.setup=[module load cuda]' sweep.resume={sweep.path}"
    ]
