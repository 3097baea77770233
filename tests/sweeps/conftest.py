"""A sweep of jobs that behave as they are told, in place of trainings."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from atelier.sweeps.local import Limits, Local
from atelier.sweeps.run import Loop
from atelier.sweeps.sweep import Job, Sweep
from atelier.sweeps.watch import Lines

PROGRAM = """
import json, os, signal, subprocess, sys, time
from pathlib import Path

given = {k.lstrip("+"): v.strip("'") for k, _, v in (argument.partition("=") for argument in sys.argv[1:])}
resumed = "resume" in given
folder = Path(given.get("resume") or given["paths.run"])
if resumed:
    given = json.loads((folder / "run.json").read_text())["given"]
manifest = {"status": "running", "pid": os.getpid(), "given": given, "error": None, "overrides": sys.argv[1:],
            "environment": {k: v for k, v in os.environ.items() if k.startswith(("CUDA", "OMP", "ATELIER"))}}
manifest["objective"] = {"metric": "val/loss", "mode": "min", "best": None, "best_epoch": None}

def write(**changes):
    manifest.update(changes)
    (folder / "run.part").write_text(json.dumps(manifest))
    os.replace(folder / "run.part", folder / "run.json")

print("begins", flush=True)
do = given["do"]
if do == "early":
    print("something is missing", file=sys.stderr)
    sys.exit(3)
if do == "unborn":
    (folder.parent / "unborn").touch()
    time.sleep(100000)
(folder / "config.yaml").write_text("{}")
write()
os.environ["ATELIER_LEAK"] = "1"
if "beside" in given:  # wait for something that another job has made
    while not (folder.parent / given["beside"]).exists():
        time.sleep(0.02)
if "HELD_IN" in os.environ:
    from hold import come_to
    come_to(folder.name)
if do == "raise":
    raise RuntimeError("it broke")
if do == "exit":
    sys.exit()
if do == "kill":
    os.kill(os.getpid(), signal.SIGKILL)
if do == "once" and not resumed:
    sys.exit(1)
if do == "children":
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(100000)"])
    write(child=child.pid)
if do in ("wait", "deaf", "late"):
    def stop(number, frame):
        (folder / "asked").touch()
        if do == "wait":
            write(status="interrupted")
            sys.exit(143)
        if do == "late":
            write(status="completed")
            sys.exit()
    signal.signal(signal.SIGTERM, stop)
    (folder / "waiting").touch()
    if not resumed:
        time.sleep(100000)
write(status="completed", objective={**manifest["objective"], "best": float(given.get("best", 1)), "best_epoch": 0})
"""


@pytest.fixture
def program(tmp_path: Path) -> Path:
    path = tmp_path / "job.py"
    path.write_text(PROGRAM)
    return path


@pytest.fixture
def make_sweep(tmp_path: Path) -> Callable[..., Sweep]:
    """`make_sweep("do=well", "do=raise")`: a sweep of jobs that do so."""

    def make(*does: str, **facts: Any) -> Sweep:
        objective = {"metric": "val/loss", "mode": "min"}
        known = {"accelerator": "cpu", "devices": 1, "gpus": 0, "epochs": 1, "objective": objective, **facts}
        jobs = [
            Job(
                n, do.split(), {"do": do.split()[0][3:]}, {"seed": 0, "config_hash": str(n), "experiment": "x", **known}
            )
            for n, do in enumerate(does)
        ]
        about = {"study": None, "experiment": "x", "budget": "full", "command": list(does), "swept": ["do"]}
        return Sweep.create(tmp_path / "sweep", jobs, **about, objective=objective, presentation={}, quick={})

    return make


@pytest.fixture
def make_local(program: Path) -> Callable[..., Local]:
    """`make_local(sweep, jobs=2)`: what runs the jobs of a sweep on this machine, two at once."""

    def make(sweep: Sweep, cores: int = 2, watcher: Lines | None = None, **limits: Any) -> Local:
        local = Local(sweep, program, Limits(**limits))
        local.cores, local.watcher = cores, watcher or local.watcher
        return local

    return make


@pytest.fixture
def run_local(make_local: Callable[..., Local]) -> Callable[..., Local]:
    """Runs the unfinished jobs of a sweep to their end."""

    def run(sweep: Sweep, cores: int = 2, **limits: Any) -> Local:
        local = make_local(sweep, cores, **limits)
        Loop(local).run(iter(sweep.unfinished()))
        return local

    return run
