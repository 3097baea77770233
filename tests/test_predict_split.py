"""A trained network's answers about a split of the run's own data."""

import csv
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open

Run = Callable[..., Any]


def table(file: Path) -> list[dict[str, str]]:
    with file.open(newline="") as text:
        return list(csv.DictReader(text))


def test_a_split_gives_a_row_for_each_sample_with_its_label(
    run_verb: Run, trained: Any, data_dir: Path, tmp_path: Path
) -> None:
    """The mean error of the rows is what the training's test measured; and JSON says what the file says."""
    folder = Path(shutil.copytree(trained.folder, tmp_path / "run"))
    outcome = run_verb("predict", f"run={folder}", "split=test")
    rows = table(folder / "predictions" / "test" / "predictions.csv")
    assert f"{len(rows)} predictions: " in outcome.out, outcome.err
    with safe_open(data_dir / "clocks_32px_2160_seed0.safetensors", "pt") as file:
        times = file.get_tensor("test_labels")
    assert [row["index"] for row in rows] == [str(index) for index in range(len(times))]
    assert [row["label"] for row in rows] == [f"{hour or 12}:{minute:02d}" for hour, minute in times.tolist()]
    off = (torch.tensor([float(row["minutes"]) for row in rows]) - times @ torch.tensor([60, 1])).abs() % 720
    error = torch.minimum(off, 720 - off).mean().item()
    assert error == pytest.approx(trained.manifest["test"]["common_sense_error"], abs=0.01)


def test_a_split_in_json_in_another_folder(run_verb: Run, trained: Any, tmp_path: Path) -> None:
    words = ["split=val", "format=json", f"output={tmp_path}", "trainer=ddp_cpu"]
    outcome = run_verb("predict", f"run={trained.folder}", *words)
    assert outcome.code == 0, outcome.err
    rows = json.loads(outcome.out)
    said = [{key: "" if value is None else str(value) for key, value in row.items()} for row in rows]
    assert said == table(tmp_path / "predictions.csv")
    assert list(rows[0]) == ["index", "label", "time", "minutes", "spread", "sure", "probability"]
