"""Finds runs under folders and reads what each recorded; a folder's name means nothing."""

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml

from atelier.errors import InputError
from atelier.runs.overrides import key_of, value_of
from atelier.runs.rows import read_curves

LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # libyaml's reads a configuration in 3 ms instead of 30


@dataclass(frozen=True)
class Record:
    """A run as its run.json tells it, or a job of a sweep that has not begun.

    Args:
        folder: the run's folder; None for a job that has not begun.
        manifest: run.json.
        job: what its sweep's sweep.json says of it, or {}.
    """

    folder: Path | None
    manifest: dict[str, Any]
    job: dict[str, Any]

    @property
    def status(self) -> str:
        """running, completed, pruned (ended early by a search), failed, interrupted, or waiting."""
        status = str(self.manifest.get("status", "failed"))
        return "pruned" if status == "completed" and self.manifest.get("pruned") else status

    @cached_property
    def overrides(self) -> dict[str, str]:
        """{key: value as text}; of a key that was given twice, the last."""
        given = self.manifest.get("overrides") or self.job.get("overrides") or []
        return {key_of(str(override)): value_of(str(override)) for override in given}

    @cached_property
    def config(self) -> dict[str, Any]:
        """config.yaml, or {} where the run died before it was written."""
        if self.folder is None or not (self.folder / "config.yaml").is_file():
            return {}
        return yaml.load((self.folder / "config.yaml").read_text(encoding="utf-8"), LOADER) or {}

    def value(self, key: str) -> str | None:
        """What a key was in this run, as text: as typed, else as the configuration has it, else None."""
        if key in self.overrides:
            return self.overrides[key]
        if known := self.job.get("values", {}).get(key):
            return str(known)
        node: Any = self.config
        for part in key.split("."):
            node = node.get(part) if isinstance(node, dict) else None
        if isinstance(node, bool):
            return str(node).lower()
        return None if node is None or isinstance(node, dict) else str(node)

    def curves(self, unit: str) -> dict[str, dict[int, float]]:
        """What it logged over its epochs or steps: `atelier.runs.rows.read_curves`."""
        if self.folder and unit not in self.read:
            self.read[unit] = read_curves(self.folder / "metrics.csv", unit)
        return self.read.get(unit, {})

    @cached_property
    def read(self) -> dict[str, dict[str, dict[int, float]]]:
        """{unit: the curves over it}, each read from metrics.csv once."""
        return {}

    def get(self, *path: str) -> Any:
        """A value of the manifest, `get("objective", "best")`; None where it is missing."""
        node: Any = self.manifest
        for part in path:
            node = node.get(part) if isinstance(node, dict) else None
        return node


@dataclass(frozen=True)
class Sweep:
    """A sweep's folder and its sweep.json."""

    folder: Path
    content: dict[str, Any]

    def records(self) -> list[Record]:
        """Its jobs in their order: those that have begun with their run.json, the others waiting."""
        jobs = {str(job["number"]): job for job in self.content.get("jobs", [])}
        records = [read_run(path, jobs.pop(path.name, {})) for path in run_folders(self.folder)]
        records += [Record(None, waiting(job, self.content), job) for job in jobs.values()]
        return sorted(records, key=lambda record: record.job.get("number", len(records)))


def collect(folders: Sequence[Path]) -> tuple[list[Record], list[Sweep]]:
    """The runs and the sweeps under `folders`; each is a sweep's folder, a run's, or one that holds such.

    Raises:
        InputError: if one of them is no folder, or holds neither.
    """
    records: list[Record] = []
    sweeps: list[Sweep] = []
    seen: set[Path] = set()
    for folder in folders:
        if not folder.is_dir():
            raise InputError(f"sweep={folder}: there is no such folder")
        found = list(recorded(folder))
        if not found:
            raise InputError(f"sweep={folder}: no run (run.json) and no sweep (sweep.json) in it")
        for place in found:
            if place.resolve() in seen:
                continue
            seen.add(place.resolve())
            if (place / "sweep.json").is_file():
                sweeps.append(read_sweep(place))
                records += sweeps[-1].records()
            else:
                records.append(read_run(place))
    return records, sweeps


def recorded(folder: Path) -> list[Path]:
    """The folders of sweeps and of single runs at `folder` and under it, in the order of their names."""
    found = []
    for place, inner, files in os.walk(folder):
        inner.sort()
        if "sweep.json" in files or "run.json" in files:
            found.append(Path(place))
            inner.clear()  # what lies in there belongs to it
    return found


def run_folders(sweep: Path) -> list[Path]:
    return [folder for folder in sorted(sweep.iterdir()) if (folder / "run.json").is_file()]


def read_sweep(folder: Path) -> Sweep:
    """
    Raises:
        InputError: if its sweep.json cannot be read.
    """
    try:
        return Sweep(folder, json.loads((folder / "sweep.json").read_text(encoding="utf-8")))
    except (OSError, ValueError) as error:
        raise InputError(f"{folder / 'sweep.json'} cannot be read: {error}") from error


def read_run(folder: Path, job: dict[str, Any] | None = None) -> Record:
    """A run; one whose run.json cannot be read counts as failed, so that it does not hide the others."""
    try:
        manifest = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        told = {"type": type(error).__name__, "message": f"run.json cannot be read: {error}"}
        manifest = {**waiting(job or {}, {}), "status": "failed", "error": told}
    return Record(folder, manifest, job or {})


def waiting(job: dict[str, Any], sweep: dict[str, Any]) -> dict[str, Any]:
    """What would stand in the run.json of a job that has not begun."""
    keys = ("overrides", "seed", "config_hash")
    return {
        "status": "waiting",
        "experiment": sweep.get("experiment"),
        "study": sweep.get("study"),
        "objective": sweep.get("objective"),
        **{key: job.get(key) for key in keys},
    }
