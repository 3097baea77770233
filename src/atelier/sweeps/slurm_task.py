"""The program of each process of a Slurm job: it starts or resumes the run, and requeues an interrupted job."""

import faulthandler
import json
import logging
import os
import re
import runpy
import signal
import subprocess
import sys
import time
from pathlib import Path

from atelier.runs.manifest import write_atomically
from atelier.runs.provenance import threads_asked, told_if_scarce
from atelier.sweeps.process import redirect
from atelier.sweeps.sweep import Job, Sweep

ASKED_TO_STOP = 128 + signal.SIGTERM  # exit status
PATIENCE = 600.0  # seconds for which the other ranks wait for rank 0


def run_task(number: int, script: Path, path: Path, requeues: int) -> None:
    """Run `python <script> …` for job `number` of the sweep in `path`, in a process that srun has started.

    Rank 0 decides whether the run is new or resumed, since another rank could find a run.json that rank 0 has just
    written. A run that was told to stop requeues its job, at most `requeues` times.
    """
    logging.getLogger("submitit").setLevel(logging.CRITICAL)
    faulthandler.enable()
    set_signals()
    sweep = Sweep.open(str(path), path)
    job = next(job for job in sweep.jobs if job.number == number)
    folder = sweep.folder(job)
    os.environ["ATELIER_RUN"] = str(folder.path)  # the run folder, for the other ranks
    os.environ["OMP_NUM_THREADS"] = str(sweep.decide_threads(threads_asked() or cores()))
    if int(os.environ["SLURM_PROCID"]) > 0:
        start = start_file(path)
        wait_for(start)
        wait_for(folder.manifest)
        be(script, json.loads(start.read_text(encoding="utf-8")))
        return
    try:
        be(script, begin(sweep, job, requeues))
    except SystemExit as end:
        if end.code == ASKED_TO_STOP and sweep.status(job) != "failed":
            come_back(requeues)
        raise


def be(script: Path, arguments: list[str]) -> None:
    sys.argv = [str(script), *arguments]
    try:
        runpy.run_path(str(script), run_name="__main__")
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)  # the run has saved


def begin(sweep: Sweep, job: Job, requeues: int) -> list[str]:
    """The command line of this start of the job, also written for the other ranks; output goes into the job's log."""
    sweep.prepare(job)
    redirect(sweep.folder(job).log)
    if told := told_if_scarce(sweep.threads, cores()):
        print(told, flush=True)
    if restarts() > requeues:
        sys.exit(too_often())
    arguments = sweep.arguments(job)
    if int(os.environ["SLURM_NTASKS"]) > 1:
        write_atomically(start_file(sweep.path), json.dumps(arguments))
    return arguments


def start_file(path: Path) -> Path:
    """The file by which rank 0 passes the command line of this start to the other ranks."""
    return path / "slurm" / f"{job_name()}_start_{restarts()}.json"


def wait_for(path: Path) -> None:
    end = time.monotonic() + PATIENCE
    while not path.exists():
        if time.monotonic() > end:
            sys.exit(f"rank 0 of this job has not written {path} in {PATIENCE:g} seconds")
        time.sleep(0.2)


# ---------------------------------------------------------------------- Slurm's view of this job


def restarts() -> int:
    return int(os.environ.get("SLURM_RESTART_COUNT", "0"))


def job_name() -> str:
    """Slurm's name of this job; not SLURM_JOB_ID, which for an array's last job names the whole array."""
    array = os.environ.get("SLURM_ARRAY_JOB_ID")
    return f"{array}_{os.environ['SLURM_ARRAY_TASK_ID']}" if array else os.environ["SLURM_JOB_ID"]


def cores() -> int:
    """Number of CPU cores for each process of this job."""
    if each := os.environ.get("SLURM_CPUS_PER_TASK"):
        return int(each)
    on_node = int(os.environ.get("SLURM_CPUS_ON_NODE", "1"))
    return max(1, on_node // int(os.environ.get("SLURM_NTASKS_PER_NODE", "1")))


def set_signals() -> None:
    """Let SIGTERM end the process until the run installs its handler, and turn SIGUSR1 and SIGUSR2 into SIGTERM.

    Some clusters warn a job with SIGUSR1 or SIGUSR2; submitit, and Lightning without a handler, would requeue the job
    themselves.
    """
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(ASKED_TO_STOP))
    signal.signal(signal.SIGCONT, signal.SIG_DFL)
    for number in (signal.SIGUSR1, signal.SIGUSR2):
        signal.signal(number, lambda *_: os.kill(os.getpid(), signal.SIGTERM))


def come_back(requeues: int) -> None:
    """Requeue the job, unless it was cancelled or Slurm has requeued it."""
    if restarts() >= requeues:
        print(too_often(), file=sys.stderr, flush=True)
    elif job_state() == "RUNNING":
        print("Slurm will go on with this run", file=sys.stderr, flush=True)
        subprocess.run(["scontrol", "requeue", job_name()], check=False)


def too_often() -> str:
    return f"Slurm has restarted this job {restarts()} times, so it is not requeued: hydra.launcher.requeues"


def job_state() -> str:
    for _ in range(5):  # a signal from Slurm to the job also ends scontrol
        shown = subprocess.run(["scontrol", "show", "job", job_name()], capture_output=True, text=True, check=False)
        if found := re.search(r"JobState=(\w+)", shown.stdout):
            return found[1]
        time.sleep(0.5)
    return "UNKNOWN"
