"""The executor of docs/clusters.md, taken from that page, runs a sweep."""

import csv
import importlib.util
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from atelier.compose.targets import check_arguments
from atelier.errors import InputError
from atelier.sweeps.run import Loop
from atelier.sweeps.sweep import Sweep
from atelier.sweeps.watch import Lines

Make = Callable[..., Sweep]
MODULE = "src/atelier/sweeps/command.py"


@pytest.fixture
def command(files_of: Callable[..., dict[str, str]], tmp_path: Path) -> Iterator[ModuleType]:
    """The page's module."""
    file = tmp_path / "command.py"
    file.write_text(files_of("clusters")[MODULE])
    spec = importlib.util.spec_from_file_location("command_of_the_page", file)
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules[spec.name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    yield module
    del sys.modules[spec.name]


def test_jobs_end_well_and_badly(command: ModuleType, make_sweep: Make, program: Path) -> None:
    """Each through a command that waits for it; a failed one is tried again."""
    sweep = make_sweep("do=well best=3", "do=raise", "do=early", "do=once", "do=well best=2")
    settings = command.CommandSettings(["nice"], jobs=2, threads_per_job=1, gpus=0, retries=1)
    assert Loop(command.Command(sweep, program, settings)).run(sweep.unfinished()) == 0
    assert [sweep.status(job) for job in sweep.jobs] == ["completed", "failed", "failed", "completed", "completed"]
    told = "ended with status 1: RuntimeError: it broke"
    assert sweep.record(sweep.jobs[1])["error"] == {"type": "Exit", "message": told}
    assert sweep.record(sweep.jobs[0])["environment"]["OMP_NUM_THREADS"] == "1"


def test_a_stop_has_jobs_save(command: ModuleType, make_sweep: Make, program: Path) -> None:
    sweep = make_sweep("do=wait", "do=well")
    settings = command.CommandSettings([], jobs=1, threads_per_job=1, gpus=0, retries=0)
    sweep.manifest.update(threads=1)

    class Stopping(Lines):
        def tick(self) -> None:
            if (sweep.path / "0" / "waiting").exists() and not loop.stopping:
                loop.stop(15, None)

    executor = command.Command(sweep, program, settings)
    executor.watcher = Stopping(sweep)
    loop = Loop(executor)
    assert loop.run(sweep.unfinished()) == 15
    assert [sweep.status(job) for job in sweep.jobs] == ["interrupted", "waiting"]


@pytest.mark.parametrize(("given", "key"), [({"jobs": 0}, "jobs=0"), ({"job": 2}, "job: ")])
def test_a_wrong_key_is_told(command: ModuleType, given: dict[str, Any], key: str) -> None:
    good = {"command": [], "jobs": 2, "threads_per_job": 1, "gpus": 0, "retries": 0}
    command.checked_settings(good)
    check_arguments("hydra.launcher", command.CommandSettings, good)
    with pytest.raises(InputError, match=rf"^hydra\.launcher\.{key}"):
        command.checked_settings({**good, **given})


@pytest.mark.slow
def test_the_files_of_the_page_run_a_sweep(
    project_with: Callable[..., Path], run_process: Callable[..., Any], tmp_path: Path
) -> None:
    root = project_with("clusters")
    words = ["optimizer=sgd,adam", "hydra/launcher=command", "hydra.launcher.command=[nice]"]
    path = {"PYTHONPATH": str(root / "src")}
    outcome = run_process(
        *(str(root / "src" / "train.py"), "-m", *words, "debug=fast", "trainer=cpu"),
        **{"environment": path, "python": (), "logs": tmp_path},
    )
    assert (outcome.code, outcome.err) == (0, "")
    (table,) = tmp_path.glob("sweeps/default/*/summary.csv")
    rows = list(csv.DictReader(table.read_text().splitlines()))
    assert [row["status"] for row in rows] == ["completed", "completed"]
    wrong = run_process(
        *(str(root / "src" / "train.py"), "-m", "seed=0,1", "hydra/launcher=command", "hydra.launcher.jobs=0"),
        **{"environment": path, "python": (), "logs": tmp_path},
    )
    assert wrong.code == 2
    assert wrong.err.startswith("hydra.launcher.jobs=0: give 1 or more")
