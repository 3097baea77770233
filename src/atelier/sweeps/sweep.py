"""The folder of a sweep: sweep.json with its jobs, and a run folder for each job."""

import os
import shutil
import tempfile
import time
from collections.abc import Container
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from atelier.errors import InputError
from atelier.runs.folder import RunFolder, claimed, elsewhere, named
from atelier.runs.manifest import Manifest
from atelier.runs.overrides import key_of, quoted, typed
from atelier.runs.setting import REPEATS
from atelier.runs.trust import check_files, check_overrides
from atelier.sweeps.records import Record, read_run, waiting

OF_A_JOB = {"number", "overrides", "values"}  # the keys that each job in a sweep.json has


@dataclass
class Job:
    """A run of a sweep."""

    number: int  # the job's index in the sweep, and the name of its folder
    overrides: list[str]  # of its command line
    values: dict[str, str]  # {swept key: value as text}
    facts: dict[str, Any] = field(default_factory=dict)  # found by `atelier.compose.preflight.check_job`

    @property
    def name(self) -> str:
        """The values that distinguish the job from the others, for messages."""
        repeats = [override for override in self.overrides if key_of(override) in REPEATS]
        return " ".join([f"{key}={value}" for key, value in self.values.items()] + repeats) or f"job {self.number}"


class Sweep:
    """The folder of a sweep, `logs/sweeps/<study or experiment>/<stamp>/`, and its sweep.json, the manifest."""

    def __init__(self, path: Path, manifest: Manifest) -> None:
        self.path, self.manifest = path, manifest
        self.lock: Any = None  # held open while the sweep is run

    @classmethod
    def create(cls, path: Path, jobs: list[Job], **content: Any) -> "Sweep":
        """Create the folder of a new sweep; `content`: the keys of sweep.json besides the jobs.

        Raises:
            InputError: if `path` exists already, or cannot be written.
        """
        try:
            path.mkdir(parents=True, exist_ok=False)
        except OSError as error:
            if path.exists():
                raise InputError(f"{path} exists already; {typed('sweep.resume', path)} goes on with it") from None
            place = f"{path}: {error.strerror}: {error.filename}"
            raise InputError(f"cannot write {place} (paths.logs, LOG_DIR)") from error
        manifest = Manifest(path / "sweep.json", {})
        created = time.strftime("%Y-%m-%dT%H:%M:%S")
        manifest.update(**content, created=created, status="running", jobs=[described(job) for job in jobs])
        return cls(path, manifest)

    @classmethod
    def open(cls, where: str, logs: Path) -> "Sweep":
        """The sweep that a user names, by its folder or `latest`; an InputError if it is none, or a job is refused."""
        path = named(where, logs, "sweep")
        if not (path / "sweep.json").is_file():
            raise InputError(f"{path} is no sweep's folder: it has no sweep.json; {elsewhere()}")
        sweep = cls.read(path)
        sweep.jobs  # noqa: B018 - each is checked before the sweep is locked
        return sweep

    @classmethod
    def read(cls, path: Path) -> "Sweep":
        """The sweep in a folder; an InputError if its sweep.json cannot be read."""
        try:
            manifest = Manifest.read(path / "sweep.json")
            if any(not isinstance(job, dict) or OF_A_JOB - job.keys() for job in manifest.get("jobs") or []):
                raise ValueError(f"one of its jobs lacks one of {', '.join(sorted(OF_A_JOB))}")
            return cls(path, manifest)
        except (OSError, ValueError) as error:
            raise InputError(f"{path / 'sweep.json'} cannot be read: {error}") from error

    @property
    def content(self) -> dict[str, Any]:
        """The content of sweep.json."""
        return self.manifest.content

    @cached_property
    def jobs(self) -> list[Job]:
        return [self.job_of(entry) for entry in self.content.get("jobs") or []]

    def job_of(self, entry: Any) -> Job:
        """The job of an entry; an InputError if the entry names a folder elsewhere, or does more than set values."""
        job = Job(entry["number"], entry["overrides"], entry["values"], entry.get("facts") or {})
        if isinstance(job.number, bool) or not isinstance(job.number, int) or job.number < 0:
            raise InputError(f"{self.manifest.path}: number={job.number!r}: the number of a job is 0 or more")
        check_overrides(job.overrides, self.manifest.path, refused=("hydra", "resume", "sweep"))
        return job

    def records(self) -> list[Record]:
        """The records of all jobs, in order of number; jobs without a run.json are waiting."""
        jobs = {str(job["number"]): job for job in self.content.get("jobs") or []}
        begun = [folder for folder in sorted(self.path.iterdir()) if (folder / "run.json").is_file()]
        records = [read_run(folder, jobs.pop(folder.name, {})) for folder in begun]
        records += [Record(None, waiting(job, self.content), job) for job in jobs.values()]
        return sorted(records, key=lambda record: record.job.get("number", len(records)))

    def add(self, job: Job) -> None:
        """Add a job that was not known at the start: a trial of a search."""
        self.jobs.append(job)
        self.manifest.update(jobs=[described(job) for job in self.jobs])

    def folder(self, job: Job) -> RunFolder:
        return RunFolder(self.path / str(job.number))

    def arguments(self, job: Job) -> list[str]:
        """The command line that starts a job, or resumes it if its run has started before."""
        folder = self.folder(job)
        if folder.manifest.exists() and folder.config.exists():
            return [f"resume={quoted(folder.path)}"]
        swept = ",".join(quoted(key) for key in job.values)
        own = [f"sweep.folder={quoted(self.path)}", f"sweep.swept=[{swept}]", f"paths.run={quoted(folder.path)}"]
        if self.search.get("pruner"):
            own.append(f"sweep.trial={job.number}")
        return [*job.overrides, *own]

    def prepare(self, job: Job) -> None:
        """Create the job's folder; if an earlier attempt failed before its run started, delete all but its log."""
        folder = self.folder(job)
        folder.path.mkdir(exist_ok=True)
        check_files(folder.path)
        if not (folder.manifest.exists() and folder.config.exists()):
            for path in folder.path.iterdir():
                if path.is_dir():
                    shutil.rmtree(path)
                elif path != folder.log:
                    path.unlink()

    @property
    def threads(self) -> int | None:
        """Threads of each process of a job, equal for the whole sweep, also when it is resumed; None: not decided."""
        decided = self.path / "threads"
        return self.manifest.get("threads") or (int(decided.read_text()) if decided.exists() else None)

    def decide_threads(self, asked: int) -> int:
        """Threads of a starting job; if several jobs start at once on a cluster, the first decides for all."""
        if self.threads is None:
            with tempfile.NamedTemporaryFile("w", dir=self.path, prefix=".threads.") as part, suppress(FileExistsError):
                print(asked, file=part, flush=True)
                os.link(part.name, self.path / "threads")
        return self.threads or asked

    # ------------------------------------------------------------------ searches

    @property
    def search(self) -> dict[str, Any]:
        """The options of a search, `atelier.sweeps.search.Options`; empty for a grid."""
        return self.content.get("search") or {}

    @property
    def planned(self) -> int:
        """The number of jobs when the sweep is complete."""
        return max(len(self.jobs), self.search.get("trials", 0))

    # ------------------------------------------------------------------ status of the jobs

    def record(self, job: Job) -> dict[str, Any]:
        """The content of the job's run.json; empty if it has none, an InputError if it is damaged."""
        path = self.folder(job).manifest
        try:
            return Manifest.read(path).content if path.exists() else {}
        except ValueError as error:
            raise InputError(f"{path} is damaged: {error}; delete {path.parent}, and the job begins anew") from error

    def status(self, job: Job) -> str:
        return self.record(job).get("status", "waiting")

    def unfinished(self) -> list[Job]:
        return [job for job in self.jobs if self.status(job) != "completed"]

    def fail(self, job: Job, kind: str, message: str) -> None:
        """Record in run.json and the log that a job failed, for a job that could not record it itself."""
        folder = self.folder(job)
        manifest = Manifest(folder.manifest, waiting(described(job), self.content))  # if the job has written none
        manifest.update(status="failed", error={"type": kind, "message": message})
        with folder.log.open("a", encoding="utf-8") as log:
            log.write(f"{kind}: {message}\n")

    def conclude(self) -> str:
        """Record and return the sweep's status, derived from the statuses of its jobs."""
        found = {self.status(job) for job in self.jobs}
        missing = found - {"completed"} or len(self.jobs) < self.planned
        status = "failed" if "failed" in found else "interrupted" if missing else "completed"
        self.manifest.update(status=status)
        return status


def described(job: Job) -> dict[str, Any]:
    return {**asdict(job), "seed": job.facts.get("seed"), "config_hash": job.facts.get("config_hash")}


def wait_for_leftovers(sweep: Sweep, queued: Container[int] = (), seconds: float = 60) -> None:
    """Wait until jobs of a killed sweep have saved and ended, except for jobs `queued` on a cluster.

    Raises:
        InputError: if a job still runs after `seconds`.
    """
    end = time.monotonic() + seconds
    for job in sweep.jobs:
        folder = sweep.folder(job)
        while job.number not in queued and claimed(folder.path):
            if time.monotonic() > end:
                raise InputError(f"job {job.number} of {sweep.path} is still running, on {sweep.record(job)['host']}")
            time.sleep(0.2)
