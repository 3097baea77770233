"""Made-up sweeps: folders such as the launcher and its runs leave them, with numbers that a test can tell."""

import itertools
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from atelier.runs.setting import REPEATS

# epoch, step, then the metrics, as a run logs them: validation before training, the test one epoch later.
COLUMNS = "epoch,step,val/loss,val/accuracy,train/loss,train/accuracy,test/loss,test/accuracy"


def write_run(folder: Path, manifest: dict[str, Any], curve: list[float], config: dict[str, Any] | None = None) -> None:
    """A run whose validation accuracy was `curve`; run.json is `manifest` over what a completed run has."""
    folder.mkdir(parents=True)
    finite = [value for value in curve if value == value]
    best = max(finite, default=None)
    content = {
        "status": "completed",
        "experiment": "made_up",
        "study": None,
        "seed": 0,
        "overrides": [],
        "config_hash": "0",
        "objective": {
            "metric": "val/accuracy",
            "mode": "max",
            "best": best,
            "best_epoch": None if best is None else curve.index(best),
            "best_step": None if best is None else 10 * (curve.index(best) + 1),
        },
        "test": {"loss": 0.5, "accuracy": None if best is None else best - 0.01},
        "parameters": 57060,
        "epochs": len(curve),
        "steps": 10 * len(curve),
        "seconds": {"setup": 0.1, "fit": 2.0 * len(curve), "test": 0.1},
        "steps_per_second": 100.0,
        "peak_memory_mb": 812.5,
        "device": "cpu (x86_64, 2 threads)",
        "precision": "32-true",
        "versions": {"python": "3.11.7", "torch": "2.15.0"},
        "git": {"commit": "0123456789abcdef", "dirty": False},
        "host": "here",
        "pid": 1,
        "error": None,
        **manifest,
    }
    (folder / "run.json").write_text(json.dumps(content))
    (folder / "config.yaml").write_text(yaml.safe_dump({"seed": content["seed"], **(config or {})}))
    rows = [COLUMNS]
    for epoch, value in enumerate(curve):
        rows += [
            f"{epoch},{9 + 10 * epoch},{1.5 - value},{value},,,,",
            f"{epoch},{9 + 10 * epoch},,,{1 - value},{value + 0.02},,",
        ]
    (folder / "metrics.csv").write_text("\n".join([*rows, f"{len(curve)},{10 * len(curve)},,,,,0.5,0.9", ""]))


def write_sweep(
    folder: Path,
    grid: dict[str, list[str]],
    curve: Callable[[dict[str, str], int], list[float]],
    seeds: tuple[int, ...] = (0, 1, 2),
    change: Callable[[dict[str, str], int], dict[str, Any]] = lambda values, seed: {},
    config: dict[str, Any] | None = None,
    **sweep: Any,
) -> Path:
    """A sweep over `grid` and `seeds`.

    `curve(values, seed)` is a job's validation accuracy over the epochs; `change(values, seed)` changes its run.json;
    a job for which it gives a status of waiting has not begun. `sweep` changes sweep.json.
    """
    folder.mkdir(parents=True)
    jobs = []
    for number, choice in enumerate(itertools.product(*grid.values(), seeds)):
        values, seed = dict(zip(grid, choice[:-1], strict=True)), choice[-1]
        overrides = [*(f"{key}={value}" for key, value in values.items()), f"seed={seed}"]
        setting = "_".join(value for key, value in values.items() if key not in REPEATS) or "one"
        jobs.append({"number": number, "overrides": overrides, "values": values, "seed": seed, "config_hash": setting})
        changed = change(values, seed)
        if changed.get("status") != "waiting":
            about = {"study": sweep.get("study"), "overrides": overrides, "seed": seed, "config_hash": setting}
            write_run(folder / str(number), {**about, **changed}, curve(values, seed), config)
    content = {
        "study": None,
        "experiment": "made_up",
        "budget": "full",
        "command": [
            *(f"{key}={','.join(values)}" for key, values in grid.items()),
            f"seed={','.join(map(str, seeds))}",
        ],
        "presentation": {},
        "quick": {},
        "swept": [key for key in grid if key not in REPEATS],
        "created": "2026-11-21T12:00:00",
        "status": "completed",
        "objective": {"metric": "val/accuracy", "mode": "max"},
        "jobs": jobs,
        **sweep,
    }
    (folder / "sweep.json").write_text(json.dumps(content))
    return folder


@pytest.fixture(scope="session")
def made_up_run() -> Callable[..., None]:
    return write_run


@pytest.fixture(scope="session")
def made_up_sweep() -> Callable[..., Path]:
    return write_sweep


@pytest.fixture(scope="session")
def accuracy() -> Callable[[dict[str, str], int], list[float]]:
    """The validation accuracy of a made-up run, epoch by epoch: better with adam, a higher rate and a later seed."""

    def curve(values: dict[str, str], seed: int) -> list[float]:
        better = 0.25 if values.get("optimizer") == "adam" else 0
        return [0.1, 0.5 + better + float(values.get("optimizer.lr", 0)) + seed / 10]

    return curve


@pytest.fixture
def logs(made_up_sweep: Callable[..., Path], accuracy: Callable[..., list[float]], tmp_path: Path) -> Path:
    """Eight runs: 0.5 of accuracy, 0.25 more with adam, the rate more, 0.1 more with seed 1; one has failed."""

    def change(values: dict[str, str], seed: int) -> dict[str, Any]:
        tags = {"tags": ["good", "small-one"]} if seed == 0 else {}
        return {**tags, **({"status": "failed"} if values == {"optimizer": "sgd", "optimizer.lr": "0.1"} else {})}

    grid = {"optimizer": ["sgd", "adam"], "optimizer.lr": ["0.01", "0.1"]}
    config = {"network": {"hidden": [8, 8], "bias": True}, "paths": {"run": "somewhere"}, "logger": None}
    made_up_sweep(tmp_path / "sweeps" / "a" / "s", grid, accuracy, seeds=(0, 1), change=change, config=config)
    return tmp_path
