"""A sweep that goes on where another machine began it: the devices of its jobs are those of the machine now."""

import functools
import multiprocessing
from collections.abc import Callable
from typing import Any

import pytest
from omegaconf import OmegaConf

from atelier.runs.folder import claim
from atelier.runs.manifest import Manifest
from atelier.sweeps import preflight, start
from atelier.sweeps.local import Local
from atelier.sweeps.sweep import Sweep

Make = Callable[..., Sweep]
RunLocal = Callable[..., Local]


def found(facts: dict[str, Any], overrides: list[str]) -> dict[str, Any]:
    """The check of a job, in a process of its own, which finds these facts."""
    return dict(facts)


@pytest.fixture
def take_up(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """`take_up(sweep, gpus=2)`: resume a sweep where the check of each job finds this."""
    monkeypatch.setattr(preflight, "warm_context", lambda: multiprocessing.get_context("fork"))
    monkeypatch.setattr(start, "launcher_words", lambda config: [])
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)

    def resume(sweep: Sweep, **facts: Any) -> None:
        start.take_up(sweep, OmegaConf.create(), functools.partial(found, facts))
        sweep.lock.close()

    return resume


def places(local: Local) -> list[list[str]]:
    return [places for job in local.sweep.jobs if (places := local.take(job))]


@pytest.mark.parametrize(
    ("then", "now", "taken"),
    [
        ({"accelerator": "cuda", "gpus": 4}, {"accelerator": "cuda", "gpus": 2, "devices": 1}, [["0"], ["1"]]),
        ({"accelerator": "cpu", "gpus": 0}, {"accelerator": "cuda", "gpus": 1, "devices": 1}, [["0"]]),
        ({"accelerator": "cuda", "gpus": 4}, {"accelerator": "cpu", "gpus": 0, "devices": 1}, [[""], [""], [""]]),
        ({"accelerator": "auto", "gpus": 0}, {"accelerator": "cuda", "gpus": 4, "devices": 4}, [["0", "1", "2", "3"]]),
    ],
    ids=["fewer-gpus", "a-gpu", "no-gpu", "from-a-cluster"],
)
def test_jobs_take_the_devices_of_this_machine(
    make_sweep: Make, make_local: RunLocal, take_up: Callable[..., None], then: Any, now: Any, taken: Any
) -> None:
    sweep = make_sweep("do=well", "do=well", "do=well", **then)
    take_up(sweep, **now)
    assert places(make_local(sweep, cores=3)) == taken


def test_a_run_that_has_begun_keeps_its_number_of_devices(make_sweep: Make, take_up: Callable[..., None]) -> None:
    sweep = make_sweep("do=well", "do=well", accelerator="cuda", gpus=2, devices=2)
    sweep.folder(sweep.jobs[0]).path.mkdir()
    Manifest(sweep.folder(sweep.jobs[0]).manifest, {}).update(status="interrupted")
    take_up(sweep, accelerator="cuda", gpus=4, devices=4)
    assert [(job.facts["gpus"], job.facts["devices"]) for job in sweep.jobs] == [(4, 2), (4, 4)]


def test_a_job_that_slurm_still_runs_is_left_to_the_launcher(
    make_sweep: Make, take_up: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may run for days; without Slurm, only one that a killed sweep has left is waited for."""
    monkeypatch.setattr("atelier.sweeps.slurm_queue.ask_squeue", lambda names: {"7": ("RUNNING", "None")})
    sweep = make_sweep("do=well")
    sweep.manifest.update(slurm={"7": 0})
    (folder := sweep.folder(sweep.jobs[0]).path).mkdir()
    with claim(folder):
        take_up(sweep)
    assert sweep.content["status"] == "running"


def test_a_job_that_cannot_run_here_tells_it_by_itself(make_sweep: Make, take_up: Callable[..., None]) -> None:
    sweep = make_sweep("do=well", accelerator="cuda", gpus=2)
    take_up(sweep, problem="trainer.accelerator=gpu: this machine has cpu")
    assert (sweep.jobs[0].facts["gpus"], sweep.content["status"]) == (2, "running")
