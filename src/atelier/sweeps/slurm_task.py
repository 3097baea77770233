"""What each process of a Slurm job does: begin its run or go on with it, and come back when it was interrupted."""

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
from types import FrameType

from atelier.runs.folder import RunFolder
from atelier.runs.manifest import write_atomically
from atelier.runs.provenance import told_if_scarce
from atelier.sweeps.process import redirect
from atelier.sweeps.sweep import Job, Sweep

ASKED_TO_STOP = 128 + signal.SIGTERM  # exit status
PATIENCE = 600.0  # seconds that the other processes wait for the first one


def run_task(number: int, script: Path, path: Path, requeues: int) -> None:
    """Be `python <script> …` for job `number` of the sweep in `path`, in one of the processes that srun has started.

    The first process decides whether the run begins or goes on, since another one could find a run.json that the
    first has just written. A run that was asked to stop puts itself back into the queue, at most `requeues` times.
    """
    logging.getLogger("submitit").setLevel(logging.CRITICAL)
    faulthandler.enable()
    set_signals()
    sweep = Sweep.open(str(path), path)
    job = next(job for job in sweep.jobs if job.number == number)
    folder = sweep.folder(job)
    os.environ["ATELIER_RUN"] = str(folder.path)  # where processes but the first find their run
    os.environ["OMP_NUM_THREADS"] = str(sweep.decide_threads(int(os.environ.get("OMP_NUM_THREADS") or cores())))
    if int(os.environ["SLURM_PROCID"]) > 0:
        be(script, told_by_the_first(start_file(path), folder))
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
        signal.signal(signal.SIGTERM, signal.SIG_IGN)  # what was to be saved is


def begin(sweep: Sweep, job: Job, requeues: int) -> list[str]:
    """The command line that this start of a job takes, told to its other processes; output goes into its log."""
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
    """Where the first process tells the others how this start of the job goes."""
    return path / "slurm" / f"{job_name()}_start_{restarts()}.json"


def told_by_the_first(start: Path, folder: RunFolder) -> list[str]:
    wait_for(start)
    wait_for(folder.manifest)
    return json.loads(start.read_text(encoding="utf-8"))


def wait_for(path: Path) -> None:
    end = time.monotonic() + PATIENCE
    while not path.exists():
        if time.monotonic() > end:
            sys.exit(f"the first process of this job has not written {path} in {PATIENCE:g} seconds")
        time.sleep(0.2)


# ---------------------------------------------------------------------- what Slurm says about this job


def restarts() -> int:
    return int(os.environ.get("SLURM_RESTART_COUNT", "0"))


def job_name() -> str:
    """How Slurm's commands call this job. SLURM_JOB_ID of an array's last job is that of the whole array."""
    array = os.environ.get("SLURM_ARRAY_JOB_ID")
    return f"{array}_{os.environ['SLURM_ARRAY_TASK_ID']}" if array else os.environ["SLURM_JOB_ID"]


def cores() -> int:
    """Processor cores for each process of this job."""
    if each := os.environ.get("SLURM_CPUS_PER_TASK"):
        return int(each)
    on_node = int(os.environ.get("SLURM_CPUS_ON_NODE", "1"))
    return max(1, on_node // int(os.environ.get("SLURM_NTASKS_PER_NODE", "1")))


def set_signals() -> None:
    """Until the run listens itself, SIGTERM ends the process; SIGUSR1 and SIGUSR2 count as SIGTERM.

    Those two are how some clusters warn a job. Submitit, and Lightning where it finds no handler, would requeue the job
    by themselves then.
    """

    def end(number: int, frame: FrameType | None) -> None:
        sys.exit(ASKED_TO_STOP)

    def pass_on(number: int, frame: FrameType | None) -> None:
        os.kill(os.getpid(), signal.SIGTERM)

    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGCONT, signal.SIG_DFL)
    for number in (signal.SIGUSR1, signal.SIGUSR2):
        signal.signal(number, pass_on)


def come_back(requeues: int) -> None:
    """Into the queue again, unless the job was cancelled or Slurm has put it there itself."""
    if restarts() >= requeues:
        print(too_often(), file=sys.stderr, flush=True)
    elif job_state() == "RUNNING":
        print("Slurm will go on with this run", file=sys.stderr, flush=True)
        subprocess.run(["scontrol", "requeue", job_name()], check=False)


def too_often() -> str:
    return f"Slurm has started this job again {restarts()} times, so it does not come back: hydra.launcher.requeues"


def job_state() -> str:
    for _ in range(5):  # a signal that Slurm sends to the job ends scontrol, too
        shown = subprocess.run(["scontrol", "show", "job", job_name()], capture_output=True, text=True, check=False)
        if found := re.search(r"JobState=(\w+)", shown.stdout):
            return found[1]
        time.sleep(0.5)
    return "UNKNOWN"
