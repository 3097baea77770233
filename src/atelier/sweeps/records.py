"""Reads the record of a run: its run.json, configuration and curves, and its job in sweep.json."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from atelier import arguments
from atelier.runs.folder import claimed, read_yaml
from atelier.runs.manifest import CONTROL, Manifest
from atelier.runs.overrides import key_of, value_of
from atelier.runs.rows import read_curves
from atelier.runs.setting import REPEATS

OF_RUNS = ("study", "experiment", "config_hash")  # the keys of run.json that name what was run


@dataclass(frozen=True)
class Record:
    """A run, or a job of a sweep that has not started."""

    folder: Path | None  # None for a job that has not started
    manifest: dict[str, Any]  # the content of run.json
    job: dict[str, Any]  # the job's entry in sweep.json; {} for a single run
    groups: dict[str, Any] = field(default_factory=dict, init=False, repr=False, compare=False)  # cache of `config`
    read: dict[str, Any] = field(default_factory=dict, init=False, repr=False, compare=False)  # cache of `curves`

    @property
    def status(self) -> str:
        """running, completed, pruned (ended early by a search), failed, interrupted, or waiting."""
        status = str(self.manifest.get("status", "failed"))
        return "pruned" if status == "completed" and self.manifest.get("pruned") else status

    @cached_property
    def typed(self) -> dict[str, str]:
        """{key: override, such as +key=value}; if a key was given twice, the last."""
        given = self.manifest.get("overrides") or self.job.get("overrides") or []
        return {key_of(str(override)): str(override) for override in given}

    @cached_property
    def overrides(self) -> dict[str, str]:
        """{key: value as text} of `typed`."""
        return {key: value_of(override) for key, override in self.typed.items()}

    @property
    def repeat(self) -> tuple[str, ...]:
        """Seed, fold and draw as texts, in the order of `REPEATS`; "" for what the run has not."""
        seed = self.get("seed")
        return ("" if seed is None else str(seed), *(self.value(key) or "" for key in REPEATS if key != "seed"))

    def config(self, group: str) -> dict[str, Any]:
        """{group: its content in config.yaml}; {} if the run failed before it was written."""
        if self.folder is None or not (file := self.folder / "config.yaml").is_file():
            return {}
        if group not in self.groups:
            self.groups[group] = read_yaml(file, group) or {}
        return self.groups[group]

    def value(self, key: str) -> str | None:
        """The value of a key as text: from the overrides, else from sweep.json, run.json or config.yaml, else None."""
        if "${" not in (text := self.overrides.get(key, "${")):  # of another key, it stands in config.yaml
            return text
        if known := (self.get(key) if key in OF_RUNS else None) or self.job.get("values", {}).get(key):
            return str(known)
        value = inside(self.config(key.partition(".")[0]), key.split("."))
        return None if value is None or isinstance(value, dict) else CONTROL.sub("?", arguments.typed(value))

    def curves(self, unit: str) -> dict[str, dict[int, float]]:
        """The curves of the run over its epochs or steps: `atelier.runs.rows.read_curves`."""
        if self.folder and unit not in self.read:
            self.read[unit] = read_curves(self.folder / "metrics.csv", unit)
        return self.read.get(unit, {})

    def get(self, *path: str) -> Any:
        """A value of the manifest, such as `get("objective", "best")`; None if it is missing."""
        return inside(self.manifest, path)


def inside(content: Any, path: Iterable[str]) -> Any:
    """A value in nested dictionaries; None if it is missing."""
    for part in path:
        content = content.get(part) if isinstance(content, dict) else None
    return content


def read_run(folder: Path, job: dict[str, Any] | None = None) -> Record:
    """The record of a run; if its run.json cannot be read, the run counts as failed."""
    try:
        manifest = Manifest.read(folder / "run.json").content
    except (OSError, ValueError) as error:
        told = {"type": type(error).__name__, "message": f"run.json cannot be read: {error}"}
        manifest = {**waiting(job or {}, {}), "status": "failed", "error": told}
    if manifest.get("status") == "running" and not claimed(folder):
        manifest["status"] = "interrupted"  # its process was killed
    return Record(folder, manifest, job or {})


def waiting(job: dict[str, Any], sweep: dict[str, Any]) -> dict[str, Any]:
    """A manifest for a job that has not started, from the job's entry in sweep.json and the whole `sweep`."""
    known = job.get("facts") or {}
    objective = known.get("objective") or sweep.get("objective") or {"metric": None, "mode": None}
    return {
        "status": "waiting",
        "experiment": known.get("experiment") or sweep.get("experiment"),
        "study": sweep.get("study"),
        "objective": {**objective, "best": None, "best_epoch": None},
        **{key: job.get(key) for key in ("overrides", "seed", "config_hash")},
    }
