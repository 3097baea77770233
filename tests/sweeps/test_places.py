"""Where the jobs of a sweep run: how many side by side, with how many threads, on which GPUs."""

import os
from collections.abc import Callable
from typing import Any

import pytest

from atelier.sweeps.local import Local
from atelier.sweeps.run import Loop
from atelier.sweeps.sweep import Job, Sweep
from atelier.sweeps.watch import Lines

Make = Callable[..., Sweep]
RunLocal = Callable[..., Local]


def test_jobs_run_side_by_side_but_never_too_many(make_sweep: Make, make_local: RunLocal) -> None:
    """The first two wait for each other, so that they would not end one after the other."""
    sweep = make_sweep("do=well beside=1/run.json", "do=well beside=0/run.json", *["do=well"] * 3)
    running: list[int] = []

    class Counting(Lines):
        def started(self, job: Job, attempt: int) -> None:
            running.append(len(local.running))

    local = make_local(sweep, cores=8, watcher=Counting(sweep), jobs=2)
    Loop(local).run(iter(sweep.jobs))
    assert [sweep.status(job) for job in sweep.jobs] == ["completed"] * 5
    assert (running[:2], len(running), max(running)) == ([1, 2], 5, 2)


@pytest.mark.parametrize(("jobs", "processes"), [(2, 1), (1, 2)])
def test_each_process_gets_the_threads_that_are_its_share(
    make_sweep: Make, run_local: RunLocal, monkeypatch: pytest.MonkeyPatch, jobs: int, processes: int
) -> None:
    monkeypatch.delenv("OMP_NUM_THREADS")
    sweep = make_sweep(*["do=well"] * jobs, devices=processes)
    run_local(sweep, cores=6)
    assert sweep.record(sweep.jobs[0])["environment"]["OMP_NUM_THREADS"] == "3"


@pytest.mark.parametrize(
    ("devices", "jobs", "cores", "at_once", "threads"),
    [
        *[([1], None, 4, 4, 1), ([1], 2, 8, 2, 4)],
        *[([2], None, 4, 2, 1), ([2], 1, 8, 1, 4), ([2], 4, 8, 4, 1), ([2], 3, 12, 3, 2)],
        *[([1, 2], 1, 8, 1, 4), ([1, 2], 2, 12, 2, 3)],
        *[([4], None, 2, 1, 1), ([4], 1, 2, 1, 1), ([4], 2, 2, 1, 1)],
    ],
)
def test_jobs_at_once_and_their_processes_and_threads_fill_the_cores_and_no_more(
    make_sweep: Make,
    make_local: RunLocal,
    monkeypatch: pytest.MonkeyPatch,
    devices: list[int],
    jobs: int | None,
    cores: int,
    at_once: int,
    threads: int,
) -> None:
    """Where a job has more processes than there are cores, it is alone, and each has one thread."""
    given: list[int] = []
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setattr("atelier.sweeps.local.start_process", lambda context, run, what: given.append(what[-1]))
    sweep = make_sweep(*["do=well"] * 6)
    for job, count in zip(sweep.jobs, devices * 6, strict=False):
        job.facts["devices"] = count
    local = make_local(sweep, cores, jobs=jobs)
    assert all(local.full() is False and local.start(job) for job in sweep.jobs[:at_once])
    assert local.full() or not local.start(sweep.jobs[at_once])
    assert given == [threads] * at_once


def test_nothing_that_a_job_puts_into_its_environment_reaches_another(make_sweep: Make, run_local: RunLocal) -> None:
    sweep = make_sweep(*["do=well"] * 3)
    run_local(sweep, jobs=1)
    assert all("ATELIER_LEAK" not in sweep.record(job)["environment"] for job in sweep.jobs)
    assert "ATELIER_LEAK" not in os.environ


@pytest.fixture
def on_gpus(make_sweep: Make, make_local: RunLocal) -> RunLocal:
    """`on_gpus([1, 2], gpus=4)`: a job for one GPU and one for two, on a machine of four."""

    def make(devices: list[int], gpus: int, **limits: Any) -> Local:
        sweep = make_sweep(*["do=well"] * len(devices), accelerator="cuda", gpus=gpus)
        for job, count in zip(sweep.jobs, devices, strict=True):
            job.facts["devices"] = count
        return make_local(sweep, cores=16, **limits)

    return make


def taken(local: Local) -> list[list[str] | None]:
    return [local.take(job) or None for job in local.sweep.jobs]


def test_one_job_for_each_gpu(on_gpus: RunLocal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    assert taken(on_gpus([1, 1, 1], gpus=2)) == [["0"], ["1"], None]


def test_several_jobs_on_a_gpu(on_gpus: RunLocal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    assert taken(on_gpus([1, 1, 1, 1, 1], gpus=2, jobs_per_gpu=2)) == [["0"], ["1"], ["0"], ["1"], None]


def test_a_job_of_several_gpus_gets_different_ones(on_gpus: RunLocal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    assert taken(on_gpus([1, 2, 2], gpus=4, jobs_per_gpu=1)) == [["0"], ["1", "2"], None]


def test_only_the_gpus_that_the_sweep_may_see_are_given(on_gpus: RunLocal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3,5")
    assert taken(on_gpus([1, 1, 1], gpus=2)) == [["3"], ["5"], None]


def test_a_job_with_a_gpu_sees_no_other(on_gpus: RunLocal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3,5")
    local = on_gpus([1, 1], gpus=2)
    Loop(local).run(iter(local.sweep.jobs))
    seen = {local.sweep.record(job)["environment"]["CUDA_VISIBLE_DEVICES"] for job in local.sweep.jobs}
    assert seen == {"3", "5"}


def test_two_processes_of_a_job_take_two_places(make_sweep: Make, make_local: RunLocal) -> None:
    sweep = make_sweep("do=well", "do=well", devices=2)
    assert taken(make_local(sweep, cores=3)) == [["", ""], None]


def test_a_job_that_waits_for_its_places_has_made_no_attempt(make_sweep: Make, run_local: RunLocal) -> None:
    sweep = make_sweep("do=well", "do=well")
    sweep.jobs[1].facts["devices"] = 2
    assert run_local(sweep, cores=2).attempts == {0: 1, 1: 1}
    assert [sweep.status(job) for job in sweep.jobs] == ["completed"] * 2
