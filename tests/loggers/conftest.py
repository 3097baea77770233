"""What the tests of loggers share: W&B's own files read back."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml


@pytest.fixture(scope="session")
def recorded_in() -> Callable[[Path], "Recorded"]:
    """`recorded_in(folder)`: the one offline W&B run in a run folder."""
    return Recorded


class Recorded:
    """An offline W&B run as W&B's own reader tells it."""

    def __init__(self, folder: Path) -> None:
        (file,) = folder.glob("wandb/offline-run-*/*.wandb")
        command = [Path(sys.executable).with_name("wandb"), "leet", "inspect", "--json", file]
        lines = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
        self.records = [json.loads(line) for line in lines if line.strip()]

    def of(self, kind: str) -> list[dict[str, Any]]:
        return [record[kind] for record in self.records if record.get("type") == kind]

    @property
    def run(self) -> dict[str, Any]:
        return self.of("run")[0]

    @property
    def history(self) -> list[dict[str, Any]]:
        return [entry["item"] for entry in self.of("history")]

    @property
    def exit_status(self) -> int:
        (ending,) = self.of("exit")
        return ending["exit_code"]

    @property
    def summary(self) -> dict[str, Any]:
        kept: dict[str, Any] = {}
        for entry in self.of("summary"):
            kept |= entry.get("update", {})
            for gone in entry.get("remove", []):
                kept.pop(gone["key"], None)
        return kept


@pytest.fixture
def single(tmp_path: Path) -> Path:
    folder = tmp_path / "clock_angles" / "another_stamp"
    folder.mkdir(parents=True)
    (folder / "config.yaml").write_text(yaml.safe_dump({"seed": 0, "sweep": {"folder": None, "swept": []}}))
    (folder / "run.json").write_text(json.dumps({"experiment": "clock_angles", "config_hash": "c0ffee"}))
    return folder
