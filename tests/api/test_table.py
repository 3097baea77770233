"""The table of runs: its rows and columns, and the choice of runs."""

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import atelier
import atelier.runs.folder

Left = Callable[..., Path]


@pytest.fixture
def several(left: Left) -> list[Path]:
    """Three runs, from the oldest."""
    folders = [
        left("run", "one", overrides=["optimizer.lr=0.001", "seed=1"], seed=1),
        left("run", "two", overrides=["optimizer=sgd", "optimizer.lr=1e-2"], status="failed"),
        left("run", "three", overrides=["network.hidden=[4]"], experiment="mnist_mlp", pruned=True),
    ]
    for age, folder in enumerate(reversed(folders)):
        os.utime(folder / "run.json", (1e9 - age, 1e9 - age))
    return folders


def names(table: Any) -> list[str]:
    return [Path(folder).name for folder in table.folder]


def test_the_package_of_run_folders_is_called_for_the_table(logs: Path) -> None:
    assert atelier.runs.folder.RunFolder(logs).path == logs
    assert len(atelier.runs()) == len(atelier.runs(experiment="default")) == 0, "no folder of runs yet"
    assert list(atelier.runs().columns[:4]) == ["folder", "experiment", "status", "seed"]


def test_a_row_says_what_a_run_was_and_what_came_out(several: list[Path]) -> None:
    table = atelier.runs()
    assert names(table) == ["three", "two", "one"]
    assert list(table.columns[:4]) == ["folder", "experiment", "status", "seed"]
    assert table.status.tolist() == ["pruned", "failed", "completed"]
    assert table["optimizer.lr"].tolist() == [0.001, 0.01, 0.001], "numbers, also where they were not typed"
    assert table["optimizer"].tolist()[1] == "sgd"
    assert table["network.hidden"].tolist() == [[4], [4], [4]]
    assert "seed" not in table.columns[4:]
    assert set(table.objective) == {"val/accuracy"}
    assert table.best.tolist() == pytest.approx([0.0416667] * 3)
    assert table["test/accuracy"].tolist() == pytest.approx([0.027855154] * 3)
    assert not [name for name in table.columns if name.startswith("test/accuracy/")]
    assert table.seconds.tolist() == [0.865] * 3
    assert atelier.load(table.folder[1]).status == "failed"


def test_a_seed_is_that_of_run_json_where_another_run_typed_one(several: list[Path]) -> None:
    (several[2] / "config.yaml").unlink()
    assert atelier.runs().seed.tolist() == [0, 0, 1]


def test_runs_are_chosen(several: list[Path]) -> None:
    choices: list[tuple[dict[str, Any], list[str]]] = [
        ({"status": "completed"}, ["one"]),
        ({"status": "pruned"}, ["three"]),
        ({"optimizer.lr": 0.01}, ["two"]),
        ({"optimizer.lr": lambda lr: lr < 0.01}, ["three", "one"]),
        ({"optimizer": "sgd"}, ["two"]),
        ({"optimizer": lambda name: name.startswith("s")}, ["two"]),
        ({"network.hidden": (4,)}, ["three", "two", "one"]),
        ({"objective.best": lambda best: best > 0.9}, []),
        ({"seed": 1, "status": "completed"}, ["one"]),
        ({"study": None, "seed": 0}, ["three", "two"]),
        ({"status": "completed", "optimizer": "sgd"}, []),  # only the failed run states its optimizer
    ]
    for where, found in choices:
        assert names(atelier.runs(where=where)) == found, where


def test_a_list_equals_each_of_its_items_as_in_a_condition_in_words(left: Left) -> None:
    left("run", "one", tags=["paper", "baseline"])
    left("run", "two", tags=["paper"])
    left("run", "three", tags=[])
    choices: list[tuple[dict[str, Any], str, set[str]]] = [
        ({"tags": "paper"}, "tags=paper", {"one", "two"}),
        ({"tags": "baseline"}, "tags=baseline", {"one"}),
        ({"tags": ["paper"]}, "tags=['paper']", {"two"}),
        ({"network.hidden": 4}, "network.hidden=4", {"one", "two", "three"}),
    ]
    for where, words, found in choices:
        assert set(names(atelier.runs(where=where))) == set(names(atelier.runs(where=words))) == found, where


def test_runs_of_an_experiment(several: list[Path]) -> None:
    assert names(atelier.runs(experiment="mnist_mlp")) == ["three"]
    assert names(atelier.runs(experiment="default")) == ["two", "one"]
    assert len(atelier.runs(experiment="clock_angles")) == 0, "it is there, and was not yet run"
    with pytest.raises(atelier.InputError, match="experiment=mnist_ml: no 'mnist_ml'; choose from: mnist_mlp, "):
        atelier.runs(experiment="mnist_ml")


def test_a_key_that_no_run_has_is_told(several: list[Path]) -> None:
    with pytest.raises(atelier.InputError, match=r"where: no run has the key optimizer\.lrr; .* are: optimizer\.lr, "):
        atelier.runs(where={"status": "running", "optimizer.lrr": 0.1})


def test_a_sweep_is_the_table_of_its_jobs(left: Left, several: list[Path]) -> None:
    sweep = left("sweep")
    table = atelier.load(sweep)
    assert table.status.tolist() == ["completed", "waiting"]
    assert table["optimizer"].tolist() == ["sgd", "adam"]
    assert table.folder[0] == str(sweep / "0")
    assert table.folder.isna().tolist() == [False, True]
    assert len(atelier.runs()) == 5


@pytest.mark.parametrize(
    "varied", [{"data.fold": 0}, {"data.draw": 3}, {"trainer.precision": "64-true"}, {"+trainer.precision": "64-true"}]
)
def test_the_jobs_of_a_sweep_are_told_apart_by_what_it_varies(left: Left, varied: dict[str, Any]) -> None:
    """Also by what makes no setting of its own: a fold or a draw, which is a repeat, and a precision."""
    sweep = left("sweep")
    ((key, value),) = varied.items()
    content = json.loads((sweep / "sweep.json").read_text())
    for job in content["jobs"]:
        job["overrides"] = [*job["overrides"][:-1], f"{key}={value}", "tags=[a]"]
        job["values"] = {key: str(value)}
    (sweep / "sweep.json").write_text(json.dumps(content))
    run = sweep / "0" / "run.json"
    run.write_text(json.dumps(json.loads(run.read_text()) | {"overrides": content["jobs"][0]["overrides"]}))
    table = atelier.load(sweep)
    assert table[key.lstrip("+")].tolist() == [value, value]
    assert "tags" not in table.columns


def test_a_job_that_leaves_a_swept_key_alone_has_the_value_that_its_sweep_knows(left: Left) -> None:
    """As the base of a study's settings, where its option of a group was not typed."""
    sweep = left("sweep")
    for file in (sweep / "sweep.json", sweep / "0" / "run.json"):
        file.write_text(file.read_text().replace('"optimizer=sgd"', '"seed=0"'))
    table = atelier.load(sweep)
    assert table["optimizer"].tolist() == ["sgd", "adam"]
    assert len(atelier.runs(where="optimizer=sgd")) == len(atelier.runs(where={"optimizer": "sgd"})) == 1


def test_damaged_folders_do_not_hide_the_others(left: Left, several: list[Path]) -> None:
    (left("sweep") / "sweep.json").write_text("{")
    (several[0] / "config.yaml").write_text("a: *b")
    (several[1] / "run.json").write_text("")
    table = atelier.runs()
    assert sorted(table.status) == ["completed", "completed", "failed", "pruned"]


def test_without_pandas_the_rows_have_equal_keys(several: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pandas", None)
    table = atelier.runs()
    assert [row["optimizer"] for row in table] == [None, "sgd", None]
    assert len({tuple(row) for row in table}) == 1
