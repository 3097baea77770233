"""All runs of a study that there are, in its sweeps' folders and in the record: none twice, no two settings mixed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from atelier.results.record import finished, read_record
from atelier.results.selection import repeat_of
from atelier.results.studies import Study
from atelier.results.verdict import Decided, decide
from atelier.runs.manifest import Manifest
from atelier.sweeps.aggregate import Results, group
from atelier.sweeps.grid import value_meant
from atelier.sweeps.records import Record
from atelier.sweeps.sweep import Sweep

NOTHING = Results([], None, "min", [], [])


@dataclass(frozen=True)
class Runs:
    """Args:
    kept: a run for each job that has been begun, the finished one where there are two.
    superseded: completed runs of settings that mean something else by now; their jobs count as not done.
    """

    kept: list[Record]
    superseded: list[Record]


def runs_of(study: Study, logs: Path, docs: Path) -> Runs:
    """Those under `logs`/results/<study>/ and in `docs`/results/<study>/."""
    begun = [sweep for file in sweeps_of(study.name, logs) for sweep in Sweep.read(file.parent).records()]
    here = [record for record in begun if record.status != "waiting"]
    return merged([*here, *read_record(docs / "results" / study.name)], study.grid.swept)


def sweeps_of(study: str, logs: Path) -> list[Path]:
    """Each sweep's sweep.json."""
    return sorted((logs / "results" / study).glob("*/sweep.json"))


def merged(records: Sequence[Record], swept: Sequence[str]) -> Runs:
    """One run for each job; of the runs of one setting only those of the configuration that was run last.

    Args:
        records: those that count more come first.
    """
    newest: dict[Any, tuple[str, str]] = {}  # {setting: (when, config_hash)}
    for record in records:
        if record.status == "completed":
            setting = setting_of(record, swept)
            newest[setting] = max(newest.get(setting, ("", "")), (finished(record), str(record.get("config_hash"))))
    kept: dict[Any, Record] = {}
    superseded = []
    for record in records:
        setting = setting_of(record, swept)
        if record.status == "completed" and str(record.get("config_hash")) != newest[setting][1]:
            superseded.append(record)
            continue
        job = (setting, repeat_of(record))
        if job not in kept or (kept[job].status != "completed" and record.status == "completed"):
            kept[job] = record
    return Runs(list(kept.values()), superseded)


def setting_of(record: Record, swept: Sequence[str]) -> tuple[str, ...]:
    return tuple(repr(value_meant(record.value(key))) for key in swept)


def hours(record: Record) -> float:
    """All that a run took: its set-up, training and test."""
    return sum(value or 0.0 for value in (record.get("seconds") or {}).values()) / 3600


def decide_all(studies: Mapping[str, Study], runs: Mapping[str, Sequence[Record]]) -> dict[str, list[Decided]]:
    """{study: its claims, decided by its runs}; those of a study that is compared with are there too, or are none."""
    results: dict[str | None, Results]
    results = {name: results_of(studies[name], runs[name]) for name in studies if runs[name]}
    return {
        name: decide(study.claims, {**results, None: results.get(name, NOTHING)}) for name, study in studies.items()
    }


def results_of(study: Study, records: Sequence[Record]) -> Results:
    """The runs as those of one sweep over the study's grid, whichever sweeps they are from."""
    content: Mapping[str, Any] = {"study": study.name, "presentation": study.node, "swept": study.grid.swept}
    return group(list(records), [Sweep(Path(), Manifest(Path(), dict(content)))])
