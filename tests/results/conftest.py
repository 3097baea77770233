"""What the tests of results share: a project whose jobs take no time, and a made-up study with its sweeps."""

import json
import runpy
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from atelier.results.export import export_all
from atelier.results.plan import read_plan
from atelier.results.queue import Queue
from atelier.results.runs import runs_of
from atelier.results.studies import load

made_up = runpy.run_path(str(Path(__file__).parents[1] / "report" / "conftest.py"))
made_up_run, made_up_sweep = made_up["made_up_run"], made_up["made_up_sweep"]

# As src/train.py -m: the sweep's folder, its lock, and a run folder a job, whose run is logged to `ran`.
TRAIN = """
import fcntl, json, os, signal, sys, time
from pathlib import Path

root = Path(__file__).parents[1]
given = dict(argument.partition("=")[::2] for argument in sys.argv[2:])
folder = Path(given.get("sweep.resume") or given["hydra.sweep.dir"])
(root / "commands").open("a").write(" ".join(sys.argv[1:]) + "\\n")

def hold(place):
    while (root / f"hold-{place}").exists():
        (root / f"held-{place}").touch()
        time.sleep(0.01)

def stop(number, frame):
    for run in folder.glob("*/run.json"):
        content = json.loads(run.read_text())
        if content["status"] == "running":
            run.write_text(json.dumps({**content, "status": "interrupted"}))
    sys.exit(128 + number)

for number in (signal.SIGTERM, signal.SIGINT):
    signal.signal(number, stop)
hold("early")
if "sweep.resume" not in given:
    folder.mkdir(parents=True)
    hold("empty")
    typed = [f"{key}={value}" for key, value in given.items() if key.partition(".")[0] not in ("hydra", "sweep")]
    jobs = [{"number": n, "overrides": [*typed, f"optimizer={o}"], "values": {"optimizer": o}}
            for n, o in enumerate(("sgd", "adam"))]
    jobs = [{**job, "seed": int(given["seed"])} for job in jobs]
    (folder / "sweep.json").write_text(json.dumps({"jobs": jobs, "swept": ["optimizer"]}))
lock = (folder / ".lock").open("w")
fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
failed = False
for job in json.loads((folder / "sweep.json").read_text())["jobs"]:
    run = folder / str(job["number"]) / "run.json"
    if run.exists() and json.loads(run.read_text())["status"] == "completed":
        continue
    run.parent.mkdir(exist_ok=True)
    content = {"overrides": job["overrides"], "config_hash": (root / "hash").read_text()}
    content |= {"seed": int(given["seed"]) if "seed" in given else job["seed"]}
    content |= {"seconds": {"fit": 3600.0}, "objective": {"metric": "val/loss", "mode": "min", "best": 1.0}}
    run.write_text(json.dumps({**content, "status": "running"}))
    hold(f"job-{job['number']}")
    (root / "ran").open("a").write(f"{folder.name} {job['number']}\\n")
    status = "failed" if (root / f"fail-{job['number']}").exists() else "completed"
    failed |= status == "failed"
    run.write_text(json.dumps({**content, "status": status}))
    print(f"job {job['number']} {status}: {job['values']}: 0.0 s", flush=True)
print("some failed" if failed else "done", flush=True)
sys.exit(int(failed))
"""
QUEUE = """
import sys
from pathlib import Path
from atelier.results.export import export_all
from atelier.results.plan import read_plan
from atelier.results.queue import Queue, alone
from atelier.results.runs import runs_of
from atelier.results.studies import load
root = Path(sys.argv[1])
with alone(root / "logs" / "results"):
    parts = read_plan(root / "conf" / "results.yaml", root / "conf", root / "logs")
    runs = lambda name: runs_of(load(root / "conf", name), root / "logs", root / "docs")
    sys.exit(Queue(root, parts, runs, [], 2, int(sys.argv[2])).run())
"""
STUDY = "study: {grid: {optimizer: [sgd, adam], seed: [0, 1]}}\n"
LIST = "entries:\n  - {study: tiny, seeds: [0, 1]}\n"


class Project:
    """A project of one study, with a program that does as it is told."""

    def __init__(self, root: Path) -> None:
        self.root = root
        for name in ("src", "conf/study", "docs"):
            (root / name).mkdir(parents=True)
        (root / "src" / "train.py").write_text(TRAIN)
        (root / "conf" / "study" / "tiny.yaml").write_text(STUDY)
        self.write_list(LIST)
        (root / "hash").write_text("one")

    def write_list(self, text: str) -> None:
        (self.root / "conf" / "results.yaml").write_text(text)

    def parts(self) -> Any:
        return read_plan(self.root / "conf" / "results.yaml", self.root / "conf", self.root / "logs")

    def run(self, *extra: str) -> int:
        runs = lambda name: runs_of(load(self.root / "conf", name), self.root / "logs", self.root / "docs")  # noqa: E731
        return Queue(self.root, self.parts(), runs, extra, 2).run()

    def start(self, lanes: int = 1) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-c", QUEUE, str(self.root), str(lanes)],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def ran(self) -> list[str]:
        return (self.root / "ran").read_text().splitlines() if (self.root / "ran").exists() else []

    def commands(self) -> list[str]:
        return (self.root / "commands").read_text().splitlines()

    def hold(self, place: str) -> Path:
        """Have the program wait at a place; the file that tells that it is there."""
        (self.root / f"hold-{place}").touch()
        return self.root / f"held-{place}"

    def let_go(self, place: str) -> None:
        (self.root / f"hold-{place}").unlink()

    def statuses(self) -> list[str]:
        files = sorted((self.root / "logs" / "results" / "tiny").glob("*/*/run.json"))
        return [json.loads(file.read_text())["status"] for file in files]


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path)


# ---------------------------------------------------------------------- a made-up study and its record

GRID = {"optimizer": ["sgd", "adam"], "optimizer.lr": ["0.1", "0.01"]}
MADE_UP = """\
# @package _global_
# Report (Made up), figure 1: its own is all. Ours: nothing.
# python src/train.py -m study=asci_made
study:
  title: A made-up study
  question: Which one?
  claims:
    - says: "'Adam is better'"
      where: figure 1
      checks: [{metric: val/accuracy, of: {optimizer: adam}, than: {optimizer: sgd}, above: 0}]
    - says: It trains better than it validates, from the start | always
      where: figure 2
      checks:
        - {metric: train/accuracy, at: {first: 7}, than_metric: val/accuracy, near: 0.02, within: 0.001, because: read,
           reported: 0.02}
        - {metric: test/accuracy, below: 0.1, because: a wrong one}
      reason: It does not, since it is made up.
    - says: Pictures are sharp
      where: figure 3
      seen: null
      verdict: null
  grid:
    optimizer: [sgd, adam]
    optimizer.lr: [0.1, 0.01]
    seed: [0, 1, 2]
  figures:
    - {kind: curves, metric: accuracy}
    - {kind: heatmap, metric: val/accuracy, rows: optimizer, columns: optimizer.lr, caption: All of them.}
"""


def curve(values: dict[str, str], seed: int) -> list[float]:
    level = {"sgd": 0.5, "adam": 0.6 + seed / 1000}[values["optimizer"]] + float(values["optimizer.lr"]) + seed / 100
    return [level * (1 - 0.9**epoch) for epoch in range(1, 101)]


@pytest.fixture
def undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without figures, which take a second."""
    monkeypatch.setattr("atelier.results.export.draw", lambda *given: [])


@pytest.fixture
def logged(tmp_path: Path, made_up_sweep: Callable[..., Path]) -> Callable[..., Path]:
    """Writes the sweep of a seed of the study."""
    folder = tmp_path / "logs" / "results" / "asci_made"
    return lambda seed, **options: made_up_sweep(folder / f"seed-{seed}", GRID, curve, seeds=(seed,), **options)


@pytest.fixture
def exported(tmp_path: Path, logged: Callable[..., Path]) -> Callable[..., list[str]]:
    """Writes sweeps of the study, then exports; what that tells."""
    (tmp_path / "conf" / "study").mkdir(parents=True)
    (tmp_path / "docs").mkdir()
    (tmp_path / "conf" / "study" / "asci_made.yaml").write_text(MADE_UP)
    (tmp_path / "conf" / "results.yaml").write_text("entries: []")

    def make(*seeds: int, **options: Any) -> list[str]:
        for seed in seeds:
            logged(seed, **options)
        parts = read_plan(tmp_path / "conf" / "results.yaml", tmp_path / "conf", tmp_path / "logs")
        return list(export_all(parts, tmp_path / "conf", tmp_path / "logs", tmp_path / "docs"))

    return make
