"""What stands around a training: starting a command, a sweep's job, a report, and memory over many epochs."""

import contextlib
import io
import json
import resource
import runpy
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from row import ROOT, Row, clock, in_turns

TINY = ["network.hidden=[8]", "trainer=cpu", "trainer.max_epochs=1", "callbacks=none"]
ONE_STEP = [*TINY, "trainer.limit_train_batches=1", "trainer.limit_val_batches=0", "test=false"]
IMPORTS = "import torch, torchvision, lightning.pytorch, torchmetrics, hydra"
SWEPT = (2, 8)  # jobs of the sweeps whose difference is a job's cost
EPOCHS = 200
JOB, MEMORY = "a job of a sweep, beyond its set-up, fit and test", f"memory, {EPOCHS} epochs"


def command(*arguments: str) -> float:
    """Seconds of a command in a process of its own."""

    def call() -> None:
        subprocess.run([sys.executable, *arguments], cwd=ROOT, check=True, capture_output=True)

    return clock(call)


def start(name: str, words: list[str], aim: str, rounds: int, folder: Path) -> Row:
    train = [str(ROOT / "src" / "train.py"), *words, f"paths.logs={folder}", f"paths.data={folder}"]
    command(*train)  # warm up: files, data
    return in_turns(name, "the bare imports", partial(command, *train), partial(command, "-c", IMPORTS), rounds, aim)


def job(rounds: int, folder: Path) -> Row:
    """What a job of a sweep costs beyond its set-up, fit and test, in seconds."""
    costs = []
    for number in range(rounds):
        walls, own = [], []
        for count in SWEPT:
            sweep = folder / f"sweep_{number}_{count}"
            words = [*TINY, f"seed={','.join(map(str, range(count)))}", "hydra.launcher.jobs=1"]
            places = [f"hydra.sweep.dir={sweep}", f"paths.data={folder}"]
            walls.append(command(str(ROOT / "src" / "train.py"), "-m", *words, *places))
            runs = [json.loads(path.read_text()) for path in sweep.glob("*/run.json")]
            own.append(sum(sum(run["seconds"].values()) for run in runs))
        (few, many), (less, more) = walls, own
        costs.append((many - few - (more - less)) / (SWEPT[1] - SWEPT[0]))
    return Row(JOB, "", costs, "at most 0.5 s", unit=" s")


def report(count: int, rounds: int, folder: Path) -> Row:
    """Seconds of a report of a sweep of made-up runs: copies of one run under other seeds and settings."""
    first = folder / "first"
    if not first.exists():
        command(
            str(ROOT / "src" / "train.py"), "-m", *TINY, "seed=0", f"hydra.sweep.dir={first}", f"paths.data={folder}"
        )
    content, run = (json.loads((first / name).read_text()) for name in ("sweep.json", "0/run.json"))
    sweep, jobs = folder / f"copies_{count}", []
    for number in range(count):
        setting, seed = divmod(number, 5)
        values = {"optimizer.lr": f"{0.001 * (setting + 1):g}"}
        told = [f"optimizer.lr={values['optimizer.lr']}", f"seed={seed}"]
        jobs.append({**content["jobs"][0], "number": number, "overrides": told, "values": values})
        home = Path(shutil.copytree(first / "0", sweep / str(number), ignore=lambda *_: ["checkpoints", "figures"]))
        changed = {"seed": seed, "overrides": told, "config_hash": f"{setting:012x}"}
        (home / "run.json").write_text(json.dumps({**run, **changed}))
    (sweep / "sweep.json").write_text(json.dumps({**content, "jobs": jobs, "swept": ["optimizer.lr"]}))
    words = [str(ROOT / "src" / "report.py"), f"sweep={sweep}", f"output={folder / 'report'}"]
    times = [command(*words) for _ in range(rounds)]
    return Row(f"report of {count} runs", "", times, "at most 10 s" if count == 1000 else "", unit=" s")


def memory(folder: Path) -> Row:
    """The resident memory at the end of a run of many epochs beside that after a quarter of them."""
    page, seen, done = resource.getpagesize(), [], threading.Event()

    def watch() -> None:
        while not done.wait(0.05):
            seen.append(int(Path("/proc/self/statm").read_text().split()[1]) * page)

    words = [*TINY, f"trainer.max_epochs={EPOCHS}", f"paths.data={folder}", f"paths.run={folder / 'long'}"]
    sys.argv = [str(ROOT / "src" / "train.py"), *words]
    thread = threading.Thread(target=watch)
    thread.start()
    with contextlib.redirect_stdout(io.StringIO()):
        runpy.run_path(sys.argv[0], run_name="__main__")
    done.set()
    thread.join()
    quarter = len(seen) // 4
    early, late = max(seen[: 2 * quarter][quarter:]), max(seen[-quarter:])
    return Row(MEMORY, "after a quarter", [late / early], "at most 1.01", f"{late / 2**20:.0f} MiB")


def rows(rounds: int, folder: Path) -> Iterator[tuple[str, Callable[[], Row]]]:
    for name, words, aim in (
        ("train.py --help", ["--help"], ""),
        ("train.py --cfg job", ["--cfg", "job"], ""),
        ("train.py with one step", ONE_STEP, "at most 1.3"),
    ):
        yield name, partial(start, name, words, aim, rounds, folder)
    yield JOB, partial(job, rounds, folder)
    for count in (10, 100, 1000):
        yield f"report of {count} runs", partial(report, count, rounds, folder)
    yield MEMORY, partial(memory, folder)
