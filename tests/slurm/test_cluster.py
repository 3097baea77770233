"""The cluster that the Slurm tests run on has what they rely on. Run it with: tests/slurm/cluster.sh with pytest …"""

import os
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

pytestmark = [
    pytest.mark.slurm,
    pytest.mark.skipif(
        os.environ.get("SLURM_CONF") != "/tmp/atelier-slurm/slurm.conf", reason="not started by tests/slurm/cluster.sh"
    ),
]


def slurm(*command: str) -> str:
    """What one of Slurm's commands prints.

    Raises:
        subprocess.CalledProcessError: if it fails.
    """
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stdout


def test_a_job_of_two_tasks_has_one_on_each_node() -> None:
    shown = slurm(
        "srun", "-N2", "--ntasks-per-node=1", "bash", "-c", "echo $SLURM_PROCID of $SLURM_NTASKS on $SLURMD_NODENAME"
    )
    assert sorted(shown.splitlines()) == ["0 of 2 on n1", "1 of 2 on n2"]


def test_a_preempted_job_is_started_again(tmp_path: Path) -> None:
    log = tmp_path / "log"
    script = f"echo started ${{SLURM_RESTART_COUNT:-0}} >> {log}; [[ -n $SLURM_RESTART_COUNT ]] || sleep 60"
    number = slurm("sbatch", "--parsable", f"--output={tmp_path}/out", "--wrap", f"bash -c '{script}'").strip()
    wait_until(log.exists)
    slurm("srun", "--partition=high", "-N2", "true")
    wait_until(lambda: not slurm("squeue", "--noheader", f"--jobs={number}"))
    assert log.read_text().split("\n") == ["started 0", "started 1", ""]


def wait_until(condition: Callable[[], object], seconds: float = 60) -> None:
    """Fails, showing the queue, if `condition` does not become true in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, slurm("squeue", "--states=all")
        time.sleep(0.2)
