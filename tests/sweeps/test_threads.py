"""A job's last digits depend on its number of threads: decided once for a sweep, and kept by each run."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from atelier.errors import InputError
from atelier.runs import provenance
from atelier.sweeps import local
from atelier.sweeps.local import Limits, Local
from atelier.sweeps.run import Loop
from atelier.sweeps.sweep import Sweep

Make = Callable[..., Sweep]
RunLocal = Callable[..., Local]


@pytest.fixture(autouse=True)
def _nothing_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)


def threads_of(sweep: Sweep) -> list[str]:
    return [sweep.record(job)["environment"]["OMP_NUM_THREADS"] for job in sweep.jobs if sweep.record(job)]


@pytest.mark.parametrize(
    ("first", "again"),
    [
        ({"jobs": 1, "cores": 2}, {"cores": 2}),
        ({"cores": 8}, {"jobs": 1, "cores": 8}),
        ({"threads_per_job": 3, "cores": 8}, {"cores": 4}),
        ({"jobs": 1, "cores": 4}, {"cores": 1}),
    ],
    ids=str,
)
def test_a_sweep_that_goes_on_gives_its_jobs_the_threads_that_it_began_with(
    make_sweep: Make, run_local: RunLocal, first: dict[str, int], again: dict[str, int]
) -> None:
    sweep = make_sweep("do=well", "do=raise")
    run_local(sweep, **first)
    assert len(set(threads_of(sweep))) == 1
    begun = threads_of(sweep)[0]
    assert json.loads((sweep.path / "sweep.json").read_text())["threads"] == int(begun)
    (sweep.path / "1" / "run.json").unlink()
    resumed = Sweep.open(str(sweep.path), Path())
    run_local(resumed, **again)
    assert threads_of(resumed) == [begun, begun]


@pytest.mark.parametrize(
    ("asked", "given"),
    [("4,2", "4"), (" 3 ", "3"), ("3, 2", "3"), ("", "8"), ("0", "8"), ("-1", "8"), ("many", "8"), ("2.5", "8")],
)
def test_threads_are_asked_for_as_openmp_reads_them(
    make_sweep: Make, run_local: RunLocal, monkeypatch: pytest.MonkeyPatch, asked: str, given: str
) -> None:
    """A list has a number for each level of nesting; what is no number is overlooked."""
    monkeypatch.setenv("OMP_NUM_THREADS", asked)
    sweep = make_sweep("do=well")
    run_local(sweep, cores=8)
    assert threads_of(sweep) == [given]


@pytest.mark.parametrize("by", ["the sweep's start", "OMP_NUM_THREADS", "hydra.launcher.threads_per_job"])
def test_places_are_as_many_as_those_threads_leave(
    make_sweep: Make, run_local: RunLocal, monkeypatch: pytest.MonkeyPatch, by: str
) -> None:
    sweep = make_sweep("do=well", "do=well", "do=well")
    limits = {}
    if by == "the sweep's start":
        sweep.manifest.update(threads=2)
    elif by == "OMP_NUM_THREADS":
        monkeypatch.setenv("OMP_NUM_THREADS", "2")
    else:
        limits = {"threads_per_job": 2}
    local = run_local(sweep, cores=4, **limits)
    assert (local.total, threads_of(sweep)) == ({"cpu": 2}, ["2"] * 3)


def test_a_machine_with_fewer_cores_is_told_of_and_other_threads_are_refused(
    make_sweep: Make, program: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    sweep = make_sweep("do=well")
    sweep.manifest.update(threads=3)
    for module in (provenance, local):
        monkeypatch.setattr(module, "cores", lambda: 2)

    def run_here(**limits: int) -> int:
        return Loop(local.Local(sweep, program, Limits(**limits))).run(iter(sweep.jobs))

    with pytest.raises(InputError, match=r"hydra.launcher.threads_per_job=2: .* began with 3"):
        run_here(threads_per_job=2)
    assert run_here(threads_per_job=3) == 0
    first = capsys.readouterr().out.splitlines()[0]
    assert first == "Threads: 3, as at the start, for equal numbers; this machine has 2 cores, so it is slower"
    assert threads_of(sweep) == ["3"]


def test_a_run_that_goes_on_computes_with_the_threads_that_it_began_with(
    run_verb: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Here they are one more than the machine has cores, which is said."""
    from atelier.tasks.classifier import Classifier

    many = len(os.sched_getaffinity(0)) + 1
    seen: list[tuple[int, str | None]] = []
    original = Classifier.training_step

    def step(task: Any, *args: Any, **kwargs: Any) -> Any:
        seen.append((torch.get_num_threads(), os.environ.get("OMP_NUM_THREADS")))
        return original(task, *args, **kwargs)

    monkeypatch.setattr(Classifier, "training_step", step)
    short = ["trainer=cpu", "callbacks=none", "trainer.limit_train_batches=2", "trainer.max_epochs=1", "test=false"]
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(many)
        run = run_verb("train", *short)
        torch.set_num_threads(before)
        assert (run.manifest["threads"], run.manifest["processes"]) == (many, 1)
        again = run_verb("train", f"resume={run.folder}", "trainer.max_epochs=2")
    finally:
        torch.set_num_threads(before)
    assert again.code == 0, again.err
    steps = [(many, None)] * 2 + [(many, str(many))] * 2  # processes that it starts follow the variable
    assert seen == steps, "two steps in each of two epochs"
    assert f"Threads: {many}, as at the start, for equal numbers; this machine has {many - 1} cores" in again.out
    assert run.manifest["threads"] == many
