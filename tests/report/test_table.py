"""The table of settings: what its cells say where runs or their values are missing."""

import csv
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

from atelier.report.notes import caption
from atelier.report.page import runs_table
from atelier.report.summary import settings_csv
from atelier.report.table import runs_told, settings_table
from atelier.sweeps.aggregate import aggregate

Sweep = Callable[..., Path]
Accuracy = Callable[..., list[float]]


def test_a_number_of_fewer_runs_than_its_row_has_says_so(
    made_up_sweep: Sweep, accuracy: Accuracy, tmp_path: Path
) -> None:
    """Of sgd, the second run failed, and the third had no finite accuracy."""

    def change(values: dict[str, str], seed: int) -> dict[str, Any]:
        objective = {"metric": "val/accuracy", "mode": "max", "best": math.nan, "best_epoch": None}
        of_sgd: list[dict[str, Any]] = [{}, {"status": "failed"}, {"objective": objective}]
        return of_sgd[seed] if values["optimizer"] == "sgd" else {}

    results = aggregate([made_up_sweep(tmp_path / "s", {"optimizer": ["sgd", "adam"]}, accuracy, change=change)])
    table = settings_table(results)
    cells = {column.title: [cell.text for cell in column.cells] for column in table.columns}
    assert cells["best validation accuracy"] == ["0.85 ± 0.10", "0.5000, n = 1"]
    assert cells["at epoch"] == ["2 ± 0", "2, n = 1"], "counted from 1"
    assert cells["test accuracy"] == ["0.84 ± 0.10", "0.59 ± 0.14"]
    assert cells["training time"] == ["4.0 s", "4.0 s"]
    assert cells["runs (n)"] == ["3", "incomplete: 2 of 3, 1 failed, 1 without a value"]
    shown = [column.title for column in table.up_to(1).columns]
    assert shown == [
        "optimizer",
        "best validation accuracy",
        "test accuracy",
        *["training time", "parameters", "runs (n)"],
    ]
    rows = {row["optimizer"]: row for row in csv.DictReader(settings_csv(results, None).splitlines())}
    numbers = ("runs", "completed", "val/accuracy n", "test/accuracy n")
    assert [rows["sgd"][name] for name in numbers] == ["3", "2", "1", "2"]
    bests = {one.title: one for one in runs_table(results, tmp_path).columns}["best validation accuracy"].cells
    assert [cell.sort for cell in bests if cell.text == "nan"] == [None], "sorted as the last, and not as a number"


def test_a_setting_without_any_value_is_not_called_incomplete(
    made_up_sweep: Sweep, accuracy: Accuracy, tmp_path: Path
) -> None:
    change = lambda values, seed: {"status": "failed"} if values["optimizer"] == "sgd" else {}  # noqa: E731
    results = aggregate([made_up_sweep(tmp_path / "s", {"optimizer": ["sgd", "adam"]}, accuracy, change=change)])
    assert [runs_told(setting) for setting in results.settings] == ["3", "0 of 3, 3 failed"]
    assert " Incomplete settings " not in caption(results)
