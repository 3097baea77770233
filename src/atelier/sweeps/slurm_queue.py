"""The interface to Slurm: submits jobs with submitit, asks squeue for their states, cancels them with scancel."""

import contextlib
import importlib.util
import io
import os
import re
import shutil
import signal
import subprocess
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

from annotated_types import Ge
from omegaconf import OmegaConf

from atelier.arguments import check_arguments
from atelier.errors import InputError
from atelier.sweeps.slurm_task import run_task
from atelier.sweeps.sweep import Job, Sweep

GONE = "GONE"  # the state of jobs that squeue does not list
# Slurm's states of jobs that nobody cancelled and that have ended; squeue lists them for a while, by default 5 minutes.
OVER = ("COMPLETED", "FAILED", "TIMEOUT", "PREEMPTED", "DEADLINE", "OUT_OF_MEMORY", "NODE_FAIL", "BOOT_FAIL")
# Environment variables of a job or run that this process may be part of, hidden from new jobs. MASTER_ADDR is passed
# on, since outside a job only the user sets it.
INHERITED = re.compile(
    r"SLURM_(?!CONF$)|SLURMD_|SBATCH_|SRUN_|SUBMITIT_|(RANK|LOCAL_RANK|NODE_RANK|WORLD_SIZE|MASTER_PORT|ATELIER_RUN)$"
)
SAVE_BEFORE = 120  # seconds before the time limit when a job is told to save; Slurm may signal up to 60 s earlier
SHORTEST = 2 * SAVE_BEFORE // 60  # shortest time limit, in minutes
SEXAGESIMAL = 3600  # what YAML reads 1:00:00 as, without quotes; longer times are larger numbers


@dataclass(frozen=True)
class Needs:
    """The resources of each job of an array."""

    nodes: int
    processes: int  # on each node
    gpus: int  # on each node


@dataclass(frozen=True)
class SlurmSettings:
    """The keys of hydra/launcher=slurm, for each job of a sweep; None: Slurm's default."""

    jobs: Annotated[int, Ge(1)] | None = None  # maximum at once; None: no limit for a grid, 1 for a search
    partition: str | None = None
    account: str | None = None
    qos: str | None = None
    time: int | str | None = None  # time limit, as for sbatch: minutes, or hours:minutes:seconds, or days-hours
    cpus_per_task: Annotated[int, Ge(1)] | None = None  # CPU cores for each process of a job
    memory: str | None = None  # of each node, as for sbatch
    gpus_per_node: Annotated[int, Ge(0)] | None = None  # None: the job's `trainer.devices` on GPUs, else 0
    setup: list[str] = field(default_factory=list)  # shell commands that run on the node before the job
    options: dict[str, Any] = field(default_factory=dict)  # further options of sbatch, such as {constraint: a100}
    retries: Annotated[int, Ge(0)] = 0  # number of further attempts for a failed job
    requeues: Annotated[int, Ge(0)] = 20  # number of times that a job is requeued, preempted or at its time limit
    on_failure: Literal["continue", "stop"] = "continue"  # go on with the other jobs, or stop them

    def needs(self, job: Job) -> Needs:
        """The needs of a job, from its `trainer` as the preflight composed it."""
        devices, kind = job.facts.get("devices", 1), job.facts.get("accelerator", "cpu")
        own = devices if kind in ("gpu", "cuda") else 0
        gpus = 0 if kind == "cpu" else own if self.gpus_per_node is None else self.gpus_per_node
        return Needs(job.facts.get("nodes", 1), devices, gpus)


def checked_slurm(given: dict[str, Any]) -> SlurmSettings:
    """The launcher's settings.

    Raises:
        InputError: for an unknown key or a wrong value, or if Slurm or submitit is not installed.
    """
    values: Any = OmegaConf.to_container(OmegaConf.create(given), resolve=True)
    check_arguments("hydra.launcher", SlurmSettings, values, owner="")
    settings = SlurmSettings(**values)
    if isinstance(time := settings.time, int) and 0 < time < SHORTEST:
        told = f"give at least {SHORTEST} minutes, since a job needs time to save"
        raise InputError(f"hydra.launcher.time={time}: {told}")
    if isinstance(time, int) and time >= SEXAGESIMAL:
        told = "YAML reads 1:30:00 without quotes as 5400; give hours:minutes:seconds in quotes"
        raise InputError(f"hydra.launcher.time={time}: {told}")
    if importlib.util.find_spec("submitit") is None:
        raise InputError("hydra/launcher=slurm needs the package submitit: pip install 'atelier[slurm]'")
    for program in ("sbatch", "srun", "squeue", "scancel"):
        if shutil.which(program) is None:
            raise InputError(f"hydra/launcher=slurm: there is no {program} on the PATH; is this a Slurm cluster?")
    return settings


class Queue:
    """The jobs of one sweep in Slurm's queue; each runs `script`, the program `src/train.py`."""

    def __init__(self, sweep: Sweep, script: Path, settings: SlurmSettings) -> None:
        self.sweep, self.script, self.settings = sweep, script, settings
        self.folder = sweep.path / "slurm"  # submitit's scripts, and Slurm's output of each job

    def submit(self, needs: Needs, jobs: Sequence[Job], at_once: int) -> list[str]:
        """Submit an array of jobs, of which Slurm runs at most `at_once` at the same time.

        Returns:
            Slurm's names of the jobs: `<array>_<task>`; for a single job its number.

        Raises:
            InputError: with the message of sbatch, if it refuses the jobs.
        """
        import submitit  # extra `slurm`
        from submitit.core.utils import FailedJobError, FailedSubmissionError

        arguments = (self.script, self.sweep.path, self.settings.requeues)
        try:
            with outside_of_jobs(), undisturbed(), contextlib.redirect_stderr(io.StringIO()):
                executor = submitit.SlurmExecutor(self.folder)
                executor.update_parameters(**self.parameters(needs), array_parallelism=at_once)
                with executor.batch():
                    submitted = [executor.submit(run_task, job.number, *arguments) for job in jobs]
        except (FailedJobError, FailedSubmissionError) as error:
            raise InputError(f"Slurm refuses the jobs: {str(error).strip()}") from error
        return [str(one.job_id) for one in submitted]

    def parameters(self, needs: Needs) -> dict[str, Any]:
        """The parameters that submitit writes into the sbatch script; None: no line."""
        settings = self.settings
        options = {key: value for key, value in settings.options.items() if value not in (None, False)}
        cores = settings.cpus_per_task
        return {
            "job_name": f"atelier-{self.sweep.path.parent.name}",
            "nodes": needs.nodes,
            "ntasks_per_node": needs.processes,
            "gpus_per_node": needs.gpus or None,
            "cpus_per_task": cores,
            "mem": settings.memory,
            "time": settings.time,
            "partition": settings.partition,
            "account": settings.account,
            "qos": settings.qos,
            "wckey": None,
            "setup": settings.setup or None,
            "stderr_to_stdout": True,
            # srun ends a run if a process fails; from version 22.05 on, it does not inherit --cpus-per-task of sbatch.
            "srun_args": ["--kill-on-bad-exit=1"] + [f"--cpus-per-task={cores}"] * (cores is not None),
            "additional_parameters": {"requeue": True, "signal": f"TERM@{SAVE_BEFORE}", **options},
        }

    def cancel(self, names: Iterable[str]) -> None:
        """Cancel jobs: running jobs save and stop, waiting jobs leave the queue."""
        command(["scancel", *arrays_of(names)])

    def output(self, name: str) -> list[str]:
        """The lines that rank 0 of a job printed before it opened its log, and the messages of srun."""
        path = self.folder / f"{name}_0_log.out"
        text = path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""
        return [line for line in text.splitlines() if line.strip()]


def left_in_queue(sweep: Sweep) -> dict[int, tuple[str, str]]:
    """{job number: (Slurm's name, state)} of the jobs of a sweep that have not ended.

    Raises:
        InputError: if Slurm does not answer.
    """
    submitted: Mapping[str, int] = sweep.manifest.content.get("slurm", {})
    if not submitted:
        return {}
    states = ask_squeue(submitted)
    if states is None:
        raise InputError(f"jobs of {sweep.path} may still be in Slurm's queue, and squeue does not answer")
    return {submitted[name]: (name, state) for name, (state, _) in states.items() if name in submitted and alive(state)}


def alive(state: str) -> bool:
    return state not in (*OVER, "CANCELLED", GONE)


def ask_squeue(names: Iterable[str]) -> dict[str, tuple[str, str]] | None:
    """{name: (state, reason)} of the jobs that squeue still lists; None if it does not answer."""
    jobs = ",".join(arrays_of(names))
    asked = command(["squeue", "--noheader", "--array", "--states=all", "--format=%i %T %r", f"--jobs={jobs}"])
    if asked is None or (asked.returncode and "Invalid job id" not in asked.stderr):
        return None
    return read_squeue(asked.stdout)


def read_squeue(text: str) -> dict[str, tuple[str, str]]:
    """
    >>> read_squeue("12_0 RUNNING None\\n12_1 PENDING Nodes required for job are DOWN\\n")
    {'12_0': ('RUNNING', 'None'), '12_1': ('PENDING', 'Nodes required for job are DOWN')}
    """
    lines = (line.split(maxsplit=2) for line in text.splitlines() if line.strip())
    return {name: (state, " ".join(reason)) for name, state, *reason in lines}


def arrays_of(names: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(name.partition("_")[0] for name in names))


def command(words: list[str]) -> subprocess.CompletedProcess[str] | None:
    """Run a command of Slurm, protected from a Ctrl-C at the terminal; None if it cannot start, or after 60 s."""
    try:
        return subprocess.run(words, capture_output=True, text=True, timeout=60, start_new_session=True, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None


@contextlib.contextmanager
def outside_of_jobs() -> Iterator[None]:
    """Hide the environment variables of a job: sbatch reads some as options, and passes all of them on."""
    hidden = {name: os.environ.pop(name) for name in list(os.environ) if INHERITED.match(name)}
    try:
        yield
    finally:
        os.environ.update(hidden)


@contextlib.contextmanager
def undisturbed() -> Iterator[None]:
    """Delay a Ctrl-C until sbatch has ended, so that every submitted job is recorded."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGINT, signal.SIGTERM))
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
