"""`python src/report.py`: the list of what there is, the report of a sweep, and wrong input."""

import json
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hydra._internal.hydra import Hydra

Run = Callable[..., Any]
HEAVY = ("torch", "torchvision", "torchmetrics", "lightning", "matplotlib", "numpy", "wandb")


def write_run(folder: Path, when: int, status: str = "completed", best: float | None = 0.5, **more: Any) -> Path:
    folder.mkdir(parents=True)
    objective = {"metric": "val/loss", "mode": "min", "best": best, "best_epoch": 0}
    content = {"status": status, "experiment": "an_experiment", "seed": 0, "objective": objective, "config_hash": "a"}
    (folder / "run.json").write_text(json.dumps({**content, "overrides": ["optimizer=sgd", "seed=0"], **more}))
    os.utime(folder / "run.json", (when, when))
    return folder


@pytest.fixture
def logs(tmp_path: Path) -> Path:
    """Two runs, and a sweep of three jobs whose last has not begun."""
    write_run(tmp_path / "runs/a/1", 1_000_000_000, best=1.5)
    write_run(tmp_path / "runs/b/1", 1_200_000_000, status="failed", best=None)
    sweep = tmp_path / "sweeps/a_study/1"
    jobs = []
    for number in range(3):
        overrides = ["optimizer=sgd", f"seed={number}"]
        job = {"number": number, "overrides": overrides, "values": {}, "seed": number, "config_hash": "a"}
        jobs.append(job)
        if number < 2:
            write_run(sweep / str(number), 1_100_000_000, best=1.0 + 2 * number, seed=number, overrides=overrides)
    content = {"study": "a_study", "experiment": "x", "status": "interrupted", "swept": [], "jobs": jobs, "command": []}
    (sweep / "sweep.json").write_text(json.dumps(content))
    os.utime(sweep / "sweep.json", (1_100_000_000, 1_100_000_000))
    return tmp_path


def rows(outcome: Any) -> list[list[str]]:
    """The rows of the printed list, without its heading."""
    assert (outcome.code, outcome.err) == (0, "")
    return [re.split(r" {2,}", line.strip()) for line in outcome.out.splitlines() if re.match(r" +(run|sweep) ", line)]


def test_runs_and_sweeps_are_listed_newest_first(run_verb: Run, logs: Path) -> None:
    failed, sweep, run = rows(run_verb("report", logs=logs))
    assert (failed[:3], failed[-1]) == (["run", "an_experiment", "failed"], str(logs / "runs/b/1"))
    assert sweep[:4] == ["sweep", "a_study", "interrupted, 2 of 3", "validation loss 2.0 ± 1.4, incomplete"]
    assert run[:4] == ["run", "an_experiment", "completed", "validation loss 1.5"]
    assert [re.sub(r"\d", "0", row[-2]) for row in (failed, sweep, run)] == ["0000-00-00 00:00"] * 3


def test_the_limit_holds(run_verb: Run, logs: Path) -> None:
    assert [row[0] for row in rows(run_verb("report", "limit=2", logs=logs))] == ["run", "sweep"]


def test_a_place_without_runs_says_so(run_verb: Run) -> None:
    outcome = run_verb("report")
    assert outcome.code == 0
    assert outcome.out.startswith("There is no run under ")


def test_listing_imports_nothing_heavy(run_process: Callable[..., Any], logs: Path) -> None:
    outcome = run_process("report", logs=logs, python=("-X", "importtime"))
    imported = re.findall(r"\| +(\S+)$", outcome.err, re.MULTILINE)
    assert "rich" in {name.split(".")[0] for name in imported}, "the report of imports was not understood"
    assert [name for name in imported if name.split(".")[0] in HEAVY] == []


@pytest.mark.parametrize("named", ["latest", "{logs}/sweeps/a_study/1"])
def test_a_sweep_is_reported_into_its_folder(run_verb: Run, logs: Path, named: str) -> None:
    outcome = run_verb("report", f"sweep={named.format(logs=logs)}", logs=logs)
    assert (outcome.code, outcome.err) == (0, "")
    assert "2.0 ± 1.4" in outcome.out
    assert "1 of 3 runs not begun." in outcome.out
    for name in ("report.html", "summary.md", "summary.csv"):
        assert (logs / "sweeps/a_study/1" / name).is_file()


def test_figures_for_a_paper_are_drawn_beside_those_of_the_page(run_verb: Run, logs: Path, tmp_path: Path) -> None:
    sweep = logs / "sweeps/a_study/1"
    metrics = "epoch,step,val/loss\n0,9,1.5\n1,19,1.0\n"
    for number in range(2):
        (sweep / str(number) / "metrics.csv").write_text(metrics)
    assert run_verb("report", f"sweep={sweep}", logs=logs).code == 0
    files = [*(sweep / "figures").iterdir(), sweep / "report.html", sweep / "summary.md"]
    before = {file: file.read_bytes() for file in files}
    outcome = run_verb("report", f"sweep={sweep}", "paper=column", logs=logs)
    assert (outcome.code, outcome.err) == (0, "")
    assert sorted(file.name for file in (sweep / "figures/column").iterdir()) == [
        f"curves_loss.{ending}" for ending in ("pdf", "png", "svg")
    ]
    assert {file: file.read_bytes() for file in files} == before
    (tmp_path / "mine.mplstyle").write_text("font.size: 20")
    assert run_verb("report", f"sweep={sweep}", f"style={tmp_path}/mine.mplstyle", logs=logs).code == 0
    assert {file.suffix for file in files if file.read_bytes() != before[file]} == {".png", ".svg", ".html"}


def test_several_are_reported_together(run_verb: Run, logs: Path) -> None:
    outcome = run_verb("report", f"sweep=[{logs}/runs,{logs}/sweeps]", f"output={logs}/all", logs=logs)
    assert (outcome.code, outcome.err) == (0, "")
    # one setting: the run's 1.5 and the sweep's 1 and 3
    assert "1.8 ± 1.0" in outcome.out
    assert (logs / "all/report.html").is_file()


@pytest.mark.parametrize(
    ("overrides", "told"),
    [
        (["sweep=latest"], "there is no sweep under "),
        (["sweep=/nowhere"], "sweep=/nowhere: there is no such folder"),
        (["limit=0"], "limit=0: give a whole number of 1 or more"),
        (["limit=all"], "limit=all: give a whole number of 1 or more"),
        (["note=mine"], "note=mine: it goes with run=FOLDER"),
        (["rows=[optimizer]", "where=seed=0"], "rows=['optimizer']: it goes with sweep=FOLDER"),
        (["run=latest", "sweep=latest", "note=x"], "sweep= and run=: give one of them"),
        (["sweep=latest", "sort=seed"], "sort=seed: it has no effect beside sweep="),
        (["diff=[a,b]", "where=seed=0"], "where=seed=0: it has no effect beside diff="),
        (["where=seed"], "where=seed: seed is no comparison; "),
        (["diff=latest"], "diff=latest: name two runs"),
        (["sweeps=latest"], "sweeps: no 'sweeps'; choose from: sweep, "),
        (["sweep=/nowhere", "paper=colum"], "paper=colum: give one of: column, page or null"),
        (["sweep=/nowhere", "style=none.mplstyle"], "style=none.mplstyle: there is no such file; give a style file"),
    ],
)
def test_wrong_input_is_told(run_verb: Run, overrides: list[str], told: str) -> None:
    outcome = run_verb("report", *overrides)
    assert outcome.code == 2
    assert outcome.err.startswith(told)
    assert len(outcome.err.splitlines()) <= 2


def test_where_to_write_must_be_known(run_verb: Run, logs: Path) -> None:
    outcome = run_verb("report", f"sweep={logs}/runs", logs=logs)
    assert outcome.code == 2
    assert outcome.err.startswith("output is missing: give output=FOLDER")


def test_a_sweep_on_made_up_data_says_so(run_verb: Run, logs: Path) -> None:
    file = logs / "sweeps/a_study/1/0/run.json"
    file.write_text(file.read_text().replace('"seed=0"', '"seed=0", "data.source=fake"'))
    listed = {row[0]: row[2] for row in rows(run_verb("report", logs=logs))}
    assert listed == {"run": "completed", "sweep": "interrupted, 2 of 3, fake"}


@pytest.mark.parametrize(("typed", "times"), [([], 1), (["hydra.mode=RUN"], 2)])
def test_a_command_composes_once_unless_its_mode_is_typed(
    run_verb: Any, monkeypatch: pytest.MonkeyPatch, typed: list[str], times: int
) -> None:
    compose, done = Hydra.compose_config, []

    def counted(self: Hydra, *args: Any, **options: Any) -> Any:
        done.append(options)
        return compose(self, *args, **options)

    monkeypatch.setattr(Hydra, "compose_config", counted)
    assert run_verb("report", *typed).code == 0
    assert len(done) == times
