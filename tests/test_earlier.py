"""What an earlier version left, tests/fixtures/earlier, is tested, gone on with and reported by this one.

Commit 3644f94 made the folders in another place: a run of two epochs, a grid of which job 1 was not begun, and a search
of two trials. What has another name since then has that name there, too.
"""

import csv
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Run = Callable[..., Any]
EARLIER = Path(__file__).parent / "fixtures" / "earlier"


@pytest.fixture
def left(tmp_path: Path) -> Callable[[str], Path]:
    """A copy of one of the folders, where a command looks for its kind."""

    def copy(name: str) -> Path:
        return Path(
            shutil.copytree(EARLIER / name, tmp_path / ("runs" if name == "run" else "sweeps") / "default" / name)
        )

    return copy


def manifest(folder: Path) -> dict[str, Any]:
    return json.loads((folder / "run.json").read_text())


def test_a_run_is_tested_again_with_the_same_numbers(left: Run, run_verb: Run, tmp_path: Path) -> None:
    run = left("run")
    outcome = run_verb("eval", f"run={run}", logs=tmp_path)
    assert (outcome.code, outcome.err) == (0, "")
    accuracy = next(line.split()[-2] for line in outcome.out.splitlines() if " test/accuracy " in line)
    assert float(accuracy) == pytest.approx(manifest(run)["test"]["accuracy"])


def rows(run: Path) -> list[dict[str, str]]:
    return list(csv.DictReader((run / "metrics.csv").read_text().splitlines()))


def test_a_run_goes_on_and_is_reported(left: Run, run_verb: Run, tmp_path: Path) -> None:
    run = left("run")
    *epochs, _ = rows(run)  # the last one is of the test
    outcome = run_verb("train", f"resume={run}", "trainer.max_epochs=3", logs=tmp_path)
    assert (outcome.code, outcome.err) == (0, "")
    assert (manifest(run)["status"], manifest(run)["epochs"]) == ("completed", 3)
    (changes,) = manifest(run)["changes"].values()
    assert changes.keys() == {"trainer.max_epochs"}, "a key that is called otherwise now has not changed"
    new = {"test/macro_f1", "test/auroc"}  # which the version of that run did not measure
    kept = [{key: value for key, value in row.items() if key not in new} for row in rows(run)]
    assert kept[: len(epochs)] == epochs
    outcome = run_verb("report", f"sweep=[{run}]", f"output={tmp_path / 'report'}", logs=tmp_path)
    assert (outcome.code, outcome.err) == (0, "")
    assert "1 setting, 1 run; seed 0." in outcome.out


def test_a_grid_goes_on_and_is_reported(left: Run, run_verb: Run, tmp_path: Path) -> None:
    sweep = left("sweep")
    first = manifest(sweep / "0")
    outcome = run_verb("train", f"sweep.resume={sweep}", logs=tmp_path)
    assert (outcome.code, outcome.err) == (0, "")
    assert "1 of 2 jobs are to be done" in outcome.out
    assert "2 settings, 2 runs; seed 0." in outcome.out
    assert manifest(sweep / "0") == first
    known = json.loads((EARLIER / "sweep" / "sweep.json").read_text())["jobs"][1]["config_hash"]
    assert (manifest(sweep / "1")["status"], manifest(sweep / "1")["config_hash"]) == ("completed", known)


def test_a_search_goes_on(left: Run, run_verb: Run, tmp_path: Path) -> None:
    search = left("search")
    typed = ("hydra/sweeper=optuna", "hydra.sweeper.trials=3")
    outcome = run_verb("train", "-m", *typed, f"sweep.resume={search}", logs=tmp_path)
    assert (outcome.code, outcome.err) == (0, "")
    assert "3 trials: 3 completed" in outcome.out or "3 trials: 2 completed, 1 pruned" in outcome.out
    assert manifest(search / "2")["status"] == "completed"
